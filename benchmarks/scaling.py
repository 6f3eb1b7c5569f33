"""How training speeds up on 1 to 1,024 ranks, by the model of a step's time: chart and tables.

    python benchmarks/scaling.py [--seconds S] [--constants FILE] [--measured FILE] [--out FOLDER]
                                 [--docs]

Measures each network's layers on one thread and two ranks' messages (some minutes), or reads an
earlier scaling.json; ranks.json of `ranks.py` adds measured points. Writes scaling.json,
scaling.md and scaling.png; with --docs also the chart and the table of docs/scale.md and its twin.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from links import ETHERNET, measured_link
from processes import HERE, Result, call
from scaling_chart import draw
from scaling_costs import network_of
from scaling_networks import NETWORKS
from step_model import Link, Network, StepModel

__all__ = ["GLOBAL", "OWN", "RANKS", "links_of"]

GLOBAL = 4096  # images of a batch that ranks divide
OWN = 32  # images of each rank
RANKS = (2, 8, 64, 256, 1024)
DOCS = HERE.parent / "docs"
MARK, END = "<!-- table: python benchmarks/scaling.py --docs -->", "<!-- end -->"
PAGES = {
    "scale.md": "network | parameters | ms an image | network's rate | efficiency with 32 images a "
    "rank, on 8 / 64 / 1,024 ranks | fewest images a rank for 90 %",
    "scale.ko.md": "신경망 | 매개변수 | 이미지 한 장(ms) | 네트워크 속도 | "
    "랭크당 32장일 때 효율, 랭크 8 / 64 / 1,024개 | 효율 90 %에 필요한 랭크당 최소 이미지 수",
}


def main() -> None:
    """Measure or read, then write all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number of images")
    parser.add_argument("--constants", type=Path, help="scaling.json of an earlier time")
    parser.add_argument("--measured", type=Path, help="ranks.json: points for the chart")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--docs", action="store_true", help="renew docs/scale.md")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.constants:
        found: Result = json.loads(given.constants.read_text(encoding="utf-8"))
    else:
        found = {
            "links": [asdict(measured_link(name)) for name in ("shared memory", "TCP")],
            "networks": [call("scaling_costs.py", name, given.seconds) for name in NETWORKS],
        }
        (given.out / "scaling.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    networks = [network_of(one) for one in found["networks"]]
    own, tcp = (Link(**one) for one in found["links"])
    links = links_of(tcp)
    text = _markdown(networks, [own, tcp], links)
    (given.out / "scaling.md").write_text(text, encoding="utf-8")
    measured = json.loads(given.measured.read_text(encoding="utf-8")) if given.measured else {}
    draw(networks, links, measured.get("speed_ups", []), given.out / "scaling.png", GLOBAL, OWN)
    print(text)
    if given.docs:
        shutil.copy(given.out / "scaling.png", DOCS / "images" / "scaling.png")
        for page, header in PAGES.items():
            place, table = DOCS / page, _table(header.split(" | "), _page_rows(networks, links))
            before, marked, rest = place.read_text(encoding="utf-8").partition(MARK)
            made = f"{before}{marked}\n{table}\n{rest[rest.index(END) :]}"
            place.write_text(made, encoding="utf-8")


def links_of(tcp: Link) -> list[Link]:
    """Return three networks: two by TCP as measured here, and one whose cards copy by themselves.

    Their latencies are typical of such networks, not measured.
    """
    return [
        Link.of_rate("1 Gbit/s", 1e9 / ETHERNET, 50e-6, tcp.message, tcp.copying),
        Link.of_rate("10 Gbit/s", 1e10 / ETHERNET, 20e-6, tcp.message, tcp.copying),
        Link.of_rate("100 Gbit/s", 1e11, 2e-6, 5e-7, 0.0),
    ]


def _markdown(networks: list[Network], measured: list[Link], links: list[Link]) -> str:
    header = ["network", "link", *(f"{n:,}" for n in RANKS)]

    def rows(cell: object) -> list[list[str]]:
        return [
            [net.name, link.name, *(cell(StepModel(net, link), n) for n in RANKS)]  # type: ignore[operator]
            for net in networks
            for link in links
        ]

    weak = rows(lambda model, n: f"{model.scaled_speed_up(n, OWN) / n:.0%}")
    strong = rows(lambda model, n: f"{model.speed_up(n, GLOBAL):,.1f}")
    least = rows(lambda model, n: _count(model.least_images(n)))
    return "\n\n".join(
        [
            "# A training step on many ranks, one thread each, one rank a machine",
            "## Constants",
            _table(["link", "latency µs", "message µs", "copying µs/MB"], map(_link, measured)),
            _table(
                ["network", "parameters MB", "ms an image", "update ms", "batch norms"],
                map(_network, networks),
            ),
            f"## Efficiency with {OWN} images a rank",
            _table(header, weak),
            f"## Times as fast as one rank, batches of {GLOBAL:,} images",
            _table(header, strong),
            "## Fewest images a rank for 90 %",
            _table(header, least),
            f"## Where the time of a step goes on 1,024 ranks, {OWN} images each, in ms",
            _table(
                ["network", "link", "how", "compute", "exchange", "gather", "small messages"],
                [row for net in networks for link in links[::2] for row in _thousand(net, link)],
            ),
        ]
    )


def _page_rows(networks: list[Network], links: list[Link]) -> list[list[str]]:
    found = []
    for net in networks:
        _, megabytes, milliseconds, *_ = _network(net)
        for link in links:
            model, ranks = StepModel(net, link), (8, 64, 1024)
            weak = " / ".join(f"{100 * model.scaled_speed_up(n, OWN) / n:.0f}" for n in ranks)
            least = " / ".join(_count(model.least_images(n), "–") for n in ranks)
            found.append([net.name, f"{megabytes} MB", milliseconds, link.name, f"{weak} %", least])
    return found


def _thousand(net: Network, link: Link) -> list[list[str]]:
    """Return where time goes: as it is, with one bucket, and with sums that all ranks gather."""
    plain = StepModel(net, link)
    ways = {
        "buckets of 1 MiB": plain,
        "one bucket": replace(plain, bucket=2**40),
    }
    if any(layer.channels for layer in net.layers):
        ways["norms' sums gathered"] = replace(plain, gathered=True)
    found = []
    for how, model in ways.items():
        split = model.split(1024, 1024 * OWN)
        parts = (split.compute, split.exchange, split.gather, split.small)
        found.append([net.name, link.name, how, *(f"{1e3 * part:,.1f}" for part in parts)])
    return found


def _link(link: Link) -> list[str]:
    return [
        link.name,
        f"{1e6 * link.latency:.1f}",
        f"{1e6 * link.message:.1f}",
        f"{1e12 * link.copying:.0f}",
    ]


def _network(net: Network) -> list[str]:
    images = min(OWN, net.images[-1])
    norms = sum(layer.channels > 0 for layer in net.layers)
    seconds = sum(
        net.at(layer.forward, images) + net.at(layer.backward, images) for layer in net.layers
    )
    return [
        net.name,
        f"{4e-6 * net.numbers:.1f}",
        f"{1e3 * seconds / images:.2f}",
        f"{1e3 * net.update:.2f}",
        str(norms),
    ]


def _count(images: int | None, beyond: str = "more") -> str:
    return beyond if images is None else f"{images:,}"


def _table(header: list[str], rows: object) -> str:
    lines = [header, ["---"] * len(header), *rows]  # type: ignore[misc]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
