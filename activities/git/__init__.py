"""The trusted git helper: clones no agent has touched, and the only way work comes out of a sandbox into them."""

from activities.git.bare import PAWL, Identity
from activities.git.carrying import carried
from activities.git.clones import DiffStat, TrustedClones
from activities.git.command import Access, Git, GitError, showing
from activities.git.inspection import Inspection, Rules, inspected
from activities.git.remotes import AccessDenied, PushRejected, RepositoryMissing
from activities.git.scanning import each_without_secrets, without_secrets
from activities.git.states import BadState

__all__ = [
    "PAWL",
    "Access",
    "AccessDenied",
    "BadState",
    "DiffStat",
    "Git",
    "GitError",
    "Identity",
    "Inspection",
    "PushRejected",
    "RepositoryMissing",
    "Rules",
    "TrustedClones",
    "carried",
    "each_without_secrets",
    "inspected",
    "showing",
    "without_secrets",
]
