"""docs/own-bundle.md, followed to the letter on the cluster that runs."""

from pathlib import Path

from runner.declaration.model import Declaration
from runner.state import CHECKOUT, State
from tests.support.doc_runner import follow


def test_the_document_leads_to_a_bundle_that_runs_and_back(
    declaration: Declaration, state: Path, tmp_path: Path
) -> None:
    """Its target then has again what it had before, unless somebody had uploaded a bundle of that name."""
    page = f"http://{declaration.controller.address}"
    variables = {"URL": f"{page}:90", "PAGE": page, "TOKEN_FILE": str(State().provisioning_token)}
    follow(CHECKOUT / "docs" / "own-bundle.md", tmp_path, variables, within=120)
