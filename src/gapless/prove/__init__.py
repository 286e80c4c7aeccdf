"""The measured gap: requests through the front door while a service is changed."""

from gapless.prove.gap import Failure, Gap
from gapless.prove.prover import Prover, Record

__all__ = ["Failure", "Gap", "Prover", "Record"]
