"""A scrape of /metrics, read strictly."""

from prometheus_client.parser import text_string_to_metric_families
from support.http import ask


class Scrape:
    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which carry these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, has), value in self.samples.items() if sample == name and wanted <= set(has))


def scrape(address: str) -> Scrape:
    answer = ask(address, "GET", "/metrics", timeout=10)
    assert answer.status == 200, answer
    return Scrape(answer.body.decode())
