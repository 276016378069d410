"""The mean of networks: linear in the weights, and refused where there is none."""

import pytest
import torch
from typer.testing import CliRunner

from plugin.cli import app
from recon.errors import WeightsError
from recon.lab.training.average import mean_network
from recon.network.model import ModelConfig, TotalFieldNetwork
from recon.network.weights import load_weights, save_weights

CONFIG = ModelConfig(widths=(8, 12), head_width=4)


def network(seed, config=CONFIG):
    torch.manual_seed(seed)
    made = TotalFieldNetwork(config)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return made.eval().requires_grad_(False)


def test_the_mean_of_a_network_with_itself_is_itself():
    one = network(1)
    mean = mean_network([one, one, one], [0.2, 3.0, 0.5])
    assert mean.config == CONFIG
    for name, value in one.state_dict().items():
        torch.testing.assert_close(mean.state_dict()[name], value)


def test_shares_weigh_and_their_sum_does_not_matter():
    a, b = network(1), network(2)
    mean, scaled = mean_network([a, b], [1.0, 3.0]), mean_network([a, b], [10.0, 30.0])
    for name, value in a.state_dict().items():
        torch.testing.assert_close(mean.state_dict()[name], 0.25 * value + 0.75 * b.state_dict()[name])
        torch.testing.assert_close(scaled.state_dict()[name], mean.state_dict()[name])


@pytest.mark.parametrize("shares", [[], [1.0], [0.0, 0.0], [-1.0, 2.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_shares_that_mean_nothing_are_refused(shares):
    with pytest.raises(WeightsError, match="shares"):
        mean_network([network(1), network(2)], shares)


def test_networks_of_different_size_have_no_mean():
    with pytest.raises(WeightsError, match="differ in size"):
        mean_network([network(1), network(2, ModelConfig(widths=(8, 16), head_width=4))], [1.0, 1.0])


def test_the_command_writes_a_file_that_loads(tmp_path):
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for seed, path in enumerate(paths):
        save_weights(network(seed), path)
    out = tmp_path / "mean.safetensors"
    command = ["average", *map(str, paths), "--out", str(out), "--share", "1", "--share", "3"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    made = load_weights(out)
    assert made.sha256 in result.output.replace("\n", "")
    a, b = (load_weights(path).network.state_dict() for path in paths)
    for name, value in made.network.state_dict().items():
        torch.testing.assert_close(value, 0.25 * a[name] + 0.75 * b[name], atol=1e-3, rtol=1e-3)
