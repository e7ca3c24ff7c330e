"""Reads a file of operation policies with PyKMIP's own code, and prints what its server allows, one line a question."""

import json
import logging
import sys

from kmip.core import enums, policy
from kmip.services.server.engine import KmipEngine

policies = dict(policy.policies)
policies.update(policy.read_policy_from_file(sys.argv[1]))
engine = object.__new__(KmipEngine)
engine._operation_policies = policies
engine._logger = logging.getLogger("silent")
engine._logger.disabled = True

for name in policies:
    for groups in (None, ["operators"], ["auditors"], ["operators", "auditors"], ["strangers"]):
        for owner in (True, False):
            for object_type in enums.ObjectType:
                for operation in enums.Operation:
                    allowed = engine._is_allowed_by_operation_policy(
                        name, ("alice", groups), "alice" if owner else "bob", object_type, operation
                    )
                    line = [name, groups or [], owner, object_type.name, operation.name, allowed]
                    print(json.dumps(line))
