"""Region growing over a bucket queue: the best edges are crossed first, from several seeds.

Every region first grows over reliable edges only. Then all regions grow on together until they touch,
and where two meet, every edge of their common border votes on the 2π multiple between them; one bad
edge decides nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from recon.field.unwrap.edge_weights import CostArray
from recon.operators.slabs import compiled, in_slabs
from recon.operators.wrap import TWO_PI, unwrap_toward
from recon.types import FloatArray

IntArray = npt.NDArray[np.int32]
RegionArray = npt.NDArray[np.uint8]
VoteArray = npt.NDArray[np.float32]

STRAY = 255
"""Region number of voxels that no seed reaches: isolated specks."""
MAX_SHIFT = 12
"""Largest 2π multiple between touching regions that is voted on."""


@compiled
def _visit(
    i: int,
    region: int,
    steps: tuple[int, int, int],
    costs: CostArray,
    phase: FloatArray,
    regions: RegionArray,
    queue: IntArray,
    ends: IntArray,
    votes: VoteArray,
) -> int:
    """Add a voxel to a region, queue its open edges, count its votes; return the best cost queued."""
    regions[i] = region
    best = 256
    for side in range(6):
        axis = side >> 1
        edge_at = i if side & 1 else i - steps[axis]
        if edge_at < 0:
            continue
        cost = costs[edge_at, axis]
        if cost == 0:
            continue
        j = i + steps[axis] if side & 1 else edge_at
        if regions[j] == 0:
            queue[ends[cost]] = 3 * edge_at + axis
            ends[cost] += 1
            best = min(best, cost)
        elif regions[j] != region:
            shift = int(np.rint((phase[j] - phase[i]) / TWO_PI))
            if abs(shift) <= MAX_SHIFT:
                votes[region, regions[j], shift + MAX_SHIFT] += np.float32((256 - cost) ** 2)
    return best


@compiled
def _drain(
    lowest: int,
    limit: int,
    steps: tuple[int, int, int],
    costs: CostArray,
    phase: FloatArray,
    regions: RegionArray,
    queue: IntArray,
    starts: IntArray,
    ends: IntArray,
    votes: VoteArray,
) -> None:
    """Cross queued edges, cheapest first, up to a cost limit."""
    bucket = lowest
    while bucket <= limit:
        if ends[bucket] == starts[bucket]:
            bucket += 1
            continue
        ends[bucket] -= 1
        edge = queue[ends[bucket]]
        axis = edge % 3
        i = edge // 3
        j = i + steps[axis]
        if regions[i] != 0 and regions[j] != 0:
            continue
        known, new = (i, j) if regions[i] != 0 else (j, i)
        phase[new] = unwrap_toward(phase[new], phase[known])
        best = _visit(new, regions[known], steps, costs, phase, regions, queue, ends, votes)
        bucket = min(bucket, best)


@compiled
def _grow_all(
    seeds: IntArray,
    limit: int,
    steps: tuple[int, int, int],
    costs: CostArray,
    phase: FloatArray,
    regions: RegionArray,
    queue: IntArray,
    starts: IntArray,
    votes: VoteArray,
) -> int:
    """Grow every region in place; return how many there are."""
    ends = starts.copy()
    count = 0
    for seed in seeds:
        if count + 1 < STRAY and regions[seed] == 0:
            count += 1
            best = _visit(seed, count, steps, costs, phase, regions, queue, ends, votes)
            _drain(best, limit, steps, costs, phase, regions, queue, starts, ends, votes)
    _drain(1, 255, steps, costs, phase, regions, queue, starts, ends, votes)
    for i in range(phase.size):
        if regions[i] == 0 and (costs[i, 0] > 0 or costs[i, 1] > 0 or costs[i, 2] > 0):
            best = _visit(i, STRAY, steps, costs, phase, regions, queue, ends, votes)
            _drain(best, 255, steps, costs, phase, regions, queue, starts, ends, votes)
    return count


@compiled
def _block_seeds(
    shape: tuple[int, int, int], block: int, costs: CostArray, best_voxel: IntArray, best_sum: IntArray
) -> None:
    """Find the voxel with the cheapest three edges in every block."""
    nx, ny, nz = shape
    by, bz = (ny + block - 1) // block, (nz + block - 1) // block
    best_sum[:] = 766
    for x in range(nx):
        for y in range(ny):
            for z in range(nz):
                i = (x * ny + y) * nz + z
                if costs[i, 0] == 0 or costs[i, 1] == 0 or costs[i, 2] == 0:
                    continue
                total = int(costs[i, 0]) + int(costs[i, 1]) + int(costs[i, 2])
                b = (x // block * by + y // block) * bz + z // block
                if total < best_sum[b]:
                    best_sum[b] = total
                    best_voxel[b] = i


@compiled
def _histogram(costs: CostArray, counts: npt.NDArray[np.int64]) -> None:
    for cost in costs.reshape(-1):
        counts[cost] += 1


def _seeds(costs: CostArray, shape: tuple[int, int, int], worst_sum: float) -> IntArray:
    """Return candidate seeds, best first: one per block of 16³ voxels, so that no region goes without."""
    block = 16
    blocks = int(np.prod([-(-n // block) for n in shape]))
    voxel, total = np.full(blocks, -1, np.int32), np.empty(blocks, np.int32)
    _block_seeds(shape, block, costs, voxel, total)
    order = np.argsort(total, kind="stable")
    chosen: IntArray = voxel[order][total[order] <= worst_sum]
    return chosen


def _region_shifts(votes: VoteArray, count: int) -> tuple[IntArray, IntArray]:
    """Return the 2π multiple of each region and the group of touching regions that it belongs to."""
    both = votes + votes.transpose(1, 0, 2)[:, :, ::-1]
    both = both[: count + 1, : count + 1]
    winner = both.max(axis=2)
    shift = both.argmax(axis=2).astype(np.int32) - MAX_SHIFT
    margin = 2 * winner - both.sum(axis=2)
    group, turns = np.arange(count + 1, dtype=np.int32), np.zeros(count + 1, np.int32)
    pairs = np.argwhere(np.triu(winner, 1) > 0)
    for a, b in pairs[np.argsort(-margin[pairs[:, 0], pairs[:, 1]], kind="stable")]:
        if group[a] != group[b]:
            # votes[a, b] hold rint((phase_b - phase_a) / 2π): b's whole group is lowered by that much.
            change = turns[a] - shift[a, b] - turns[b]
            members = group == group[b]
            turns[members] += change
            group[members] = group[a]
    return turns, group


@compiled
def _apply_shifts(
    start: int, stop: int, plane: int, shifts: FloatArray, regions: RegionArray, phase: FloatArray
) -> None:
    for i in range(start * plane, stop * plane):
        phase[i] += shifts[regions[i]]


@compiled
def _region_sums(
    regions: RegionArray, phase: FloatArray, sums: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]
) -> None:
    for i in range(phase.size):
        sums[regions[i]] += phase[i]
        counts[regions[i]] += 1


def _balanced(turns: IntArray, group: IntArray, regions: RegionArray, phase: FloatArray) -> IntArray:
    """Bring each group's mean phase as close to zero as a 2π multiple allows.

    Groups that do not touch have no common edge: the shimmed field of each is near zero, and
    nothing else is known.
    """
    sums, counts = np.zeros(256), np.zeros(256, np.int64)
    _region_sums(regions, phase, sums, counts)
    size = counts[: len(turns)]
    total = sums[: len(turns)] + size * turns * float(TWO_PI)
    balanced = turns.copy()
    for g in np.unique(group[1:]):
        members = group == g
        members[0] = False
        if size[members].sum() > 0:
            balanced[members] -= np.int32(np.rint(total[members].sum() / size[members].sum() / TWO_PI))
    return balanced


def grow(phase_rad: FloatArray, costs: CostArray) -> FloatArray:
    """Return the phase unwrapped along the cheapest edges.

    Parameters
    ----------
    phase_rad
        ``(x, y, z)`` float32, wrapped.
    costs
        ``(x·y·z, 3)`` uint8 from :func:`recon.field.unwrap.edge_weights.edge_costs`.

    Returns
    -------
    numpy.ndarray
        ``(x, y, z)`` float32; differs from the input by multiples of 2π, and not at all where there
        is no edge.
    """
    shape = phase_rad.shape
    steps = (shape[1] * shape[2], shape[2], 1)
    counts = np.zeros(256, np.int64)
    _histogram(costs, counts)
    counts[0] = 0
    starts = np.concatenate(([0], np.cumsum(counts)[:-1])).astype(np.int32)
    queue = np.empty(int(counts.sum()), np.int32)
    mean_cost = float((counts * np.arange(256)).sum() / max(1, counts.sum()))
    # Seeds grow over edges that are better than halfway between the mean and the worst.
    limit = int((mean_cost + 255) / 2)
    unwrapped = phase_rad.copy()
    regions: RegionArray = np.zeros(phase_rad.size, np.uint8)
    votes: VoteArray = np.zeros((256, 256, 2 * MAX_SHIFT + 1), np.float32)
    flat = unwrapped.reshape(-1)
    count = _grow_all(_seeds(costs, shape, 3 * mean_cost), limit, steps, costs, flat, regions, queue, starts, votes)
    turns = _balanced(*_region_shifts(votes, count), regions, flat)
    shifts = np.zeros(256, np.float32)
    shifts[: count + 1] = turns * TWO_PI
    in_slabs(_apply_shifts, shape[0], steps[0], shifts, regions, flat)
    return unwrapped
