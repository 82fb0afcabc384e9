"""A scrape of /metrics, read strictly."""

import re

from prometheus_client.parser import text_string_to_metric_families
from support.http import ask

SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    def __init__(self, text: str) -> None:
        self.text = text
        # The library refuses what is not the format; the samples are read here, since it renames counters.
        assert list(text_string_to_metric_families(text))
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
        self.helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
        self.samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which carry these labels."""
        return sum(value for sample, has, value in self.samples if sample == name and labels.items() <= has.items())

    def family_of(self, sample: str) -> str:
        return next(name for name in self.types if re.fullmatch(re.escape(name) + "(_bucket|_sum|_count)?", sample))


def scrape(address: str) -> Scrape:
    answer = ask(address, "GET", "/metrics", timeout=10)
    assert answer.status == 200, answer
    return Scrape(answer.body.decode())
