"""A picture of the ratios: for each work, how fast each engine is beside this project's loader."""

from collections.abc import Mapping
from pathlib import Path


def draw(ratios: Mapping[str, Mapping[str, float]], file: Path) -> None:
    """Write a PNG with a panel for each work; 1 is this project's loader.

    Args:
        ratios: By work and engine, how many times as fast our loader is; empty ones are left out.
        file: Where to.
    """
    from matplotlib.figure import Figure

    drawn = {work: engines for work, engines in ratios.items() if engines}
    heights = [1.5 + len(engines) for engines in drawn.values()]
    figure = Figure(figsize=(9, 0.24 * sum(heights) + 0.5), layout="constrained")
    panels = figure.subplots(len(drawn), squeeze=False, height_ratios=heights)[:, 0]
    for panel, (work, engines) in zip(panels, drawn.items(), strict=True):
        names = ["reprise", *engines]
        shares = [1.0, *(1 / value for value in engines.values())]
        colors = ["tab:blue" if name.startswith("reprise") else "tab:gray" for name in names]
        panel.barh(names, shares, color=colors)
        panel.invert_yaxis()
        panel.set_title(work, loc="left", fontsize=10)
        panel.tick_params(labelsize=8)
        for row, share in enumerate(shares):
            panel.text(share, row, f" {share:.3g}", va="center", fontsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("samples a second, this project's loader being 1", fontsize=9)
    figure.savefig(file, dpi=100)
