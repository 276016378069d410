"""``qsm-plugin bench``: speed beside peers, in one run."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import JsonOption, print_json, progress_shown, results, table


def bench(
    voxel_size_mm: Annotated[float, typer.Option(min=1.0, max=4.0, help="1 gives 160 x 192 x 160 voxels.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Time unwrapping and the network's engines, each beside a peer on the same data."""
    import os

    from recon.evaluation.bench import bench as run_bench

    with progress_shown("bench") as say:
        rows = run_bench(voxel_size_mm=voxel_size_mm, say=say)
    if as_json:
        print_json({"cores": len(os.sched_getaffinity(0)), "rows": [{**vars(r), "ratio": r.ratio} for r in rows]})
        return
    results.print(
        table(
            f"Speed on {len(os.sched_getaffinity(0))} cores",
            "work",
            "ours",
            "s",
            "peer",
            "s",
            "times faster",
            rows=[
                (r.what, r.ours, f"{r.ours_seconds:.2f}", r.peer, f"{r.peer_seconds:.2f}", f"{r.ratio:.1f}")
                for r in rows
            ],
        )
    )
