"""How labels go wrong: models of label noise that draw votes and weigh them as evidence."""

from murk.noise.annotators import Annotators
from murk.noise.channel import Channel
from murk.noise.dilute import dilute
from murk.noise.dilution import Dilution
from murk.noise.evidence import Evidence, from_candidates, from_labels
from murk.noise.instance import Instance, InstanceRate, instance_from_features, instance_from_probs
from murk.noise.model import NoiseModel, evidence_of, noise_from_state, noise_state
from murk.noise.named import NOISE_FORMS, noise_named
from murk.noise.pattern import Flat, Matrix, Pattern, Uniform, class_flips, pair_flip
from murk.noise.structured import Structured, confusion_ranking, random_ranking
from murk.noise.unknown import Unknown, unknown_named
from murk.noise.votes import NO_VOTE, NONE_OF_THESE, DrawnVotes, StoredVotes, VoteBatch, Votes

__all__ = [
    "NOISE_FORMS",
    "NONE_OF_THESE",
    "NO_VOTE",
    "Annotators",
    "Channel",
    "Dilution",
    "DrawnVotes",
    "Evidence",
    "Flat",
    "Instance",
    "InstanceRate",
    "Matrix",
    "NoiseModel",
    "Pattern",
    "StoredVotes",
    "Structured",
    "Uniform",
    "Unknown",
    "VoteBatch",
    "Votes",
    "class_flips",
    "confusion_ranking",
    "dilute",
    "evidence_of",
    "from_candidates",
    "from_labels",
    "instance_from_features",
    "instance_from_probs",
    "noise_from_state",
    "noise_named",
    "noise_state",
    "pair_flip",
    "random_ranking",
    "unknown_named",
]
