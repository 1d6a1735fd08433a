"""What is wrong with labels, how wrong, and how sure that is: from labels and probabilities to answers and a folder."""

from murk.audit.answers import Answers, audited_truth, clear_questions, write_questions
from murk.audit.by_class import ClassFinding, Confusion
from murk.audit.findings import Findings, audit_labels
from murk.audit.folder import write_audit, write_corrected
from murk.audit.given import Given, read_embeddings, read_given
from murk.audit.promises import Promise, promises
from murk.audit.trained import TrainedAudit, audit_fitted

__all__ = [
    "Answers", "ClassFinding", "Confusion", "Findings", "Given", "Promise", "TrainedAudit", "audit_fitted",
    "audit_labels", "audited_truth", "clear_questions", "promises", "read_embeddings", "read_given", "write_audit",
    "write_corrected", "write_questions",
]  # fmt: skip
