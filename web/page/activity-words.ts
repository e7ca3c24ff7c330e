/** Words for what the audit log names. What has no words here is shown by its name. */

import type { AuditPage } from "#web/browser/index.ts";

type AuditEntry = AuditPage["entries"][number];

export const ACTIONS: Readonly<Record<string, string>> = {
  "iam:account": "began the account",
  "iam:account-key": "used the account key",
  "iam:release-account-key": "was to get the account key",
  "iam:read-account": "read what the account is",
  "iam:list-members": "read the list of members",
  "iam:put-member": "added a member, or changed a role",
  "iam:remove-member": "removed a member, or left",
  "iam:read-audit": "read this activity",
  "iam:schedule-deletion": "scheduled the account's deletion",
  "iam:cancel-deletion": "kept the account",
  "iam:shred-account": "deleted the account",
  "iam:create-account": "made another account",
  "iam:rotate-account-key": "rotated the account key",
  "iam:renew-data-key": "made a new version of the data key",
  "iam:delete-data-key": "deleted a version of the data key",
  "iam:schedule-data-key": "scheduled a version's deletion",
  "iam:keep-data-key": "kept a version of the data key",
  "iam:list-data-keys": "read the versions of the data key",
  "iam:sign-in": "signed in",
  "iam:sign-out": "signed out",
  "iam:authorize": "said yes to an app",
  "iam:token": "was signed in to an app",
  "iam:refresh": "renewed a sign-in",
  "iam:certify-custodian": "had an app's key certified",
  "iam:name-instance": "named a vault",
  "iam:instance-token": "had a vault signed in",
  "iam:give-role": "gave a role",
  "iam:take-role": "took a role",
  "iam:give-group": "put somebody into a group",
  "iam:take-group": "took somebody out of a group",
  "iam:list-roles": "read the roles",
  "iam:list-groups": "read the groups",
  "iam:list-group": "read a group",
  "iam:admit": "let somebody in for the first time",
  "iam:deny-app": "denied an app",
  "iam:allow-app": "allowed an app",
  "kms:make-data-keys": "had document keys made",
  "kms:data-keys": "asked for document keys",
  "kms:rewrap": "loaded a document's key",
  "kms:release": "was given a document's key",
  "kms:export": "ordered an export",
  "kms:grant": "asked for a grant of keys",
  "kms:load-by-grant": "loaded keys by a grant",
  "kms:put-policy": "changed the policy",
  "kms:rotate-master-key": "began the rotation of the master key",
  "kms:metadata-key": "asked for the key of the list's names",
  "kms:member-left": "gave the list's names another key",
  "kms:rotate-key": "rotated a data key",
  "kms:change-key": "changed a data key",
  "kms:list-keys": "read the list of keys",
  "kms:describe-key": "read about a key",
  "kms:release-account-key": "loaded the account key",
  "kms:release-master-key": "loaded the master key",
  "kms:read-data-key": "read an encrypted data key",
  "datastore:list": "read the list of documents",
  "datastore:read": "read a document",
  "datastore:read-metadata": "read a document's sealed name",
  "datastore:create": "began a document",
  "datastore:upload": "sent a part of a document",
  "datastore:put-metadata": "stored a document's sealed name",
  "datastore:complete": "completed a document",
  "datastore:store": "stored a document",
  "datastore:put-listed": "stored sealed names for the list",
  "datastore:delete": "deleted a document",
  "datastore:shred": "erased the account's documents",
  "ra:grant": "asked for a vault's grant",
  "ra:enrolment": "opened an enrolment",
  "ra:redeem": "enrolled a vault",
  "ra:certify": "had a vault certified",
  "ra:revoke": "revoked a vault",
  "ra:replace": "replaced the idlest vault",
  "ra:instances": "read the list of vaults",
  "ra:sign-out": "ended the vaults of a sign-in",
  "ra:secret-zero": "asked for a one-time secret",
  "ra:attestation": "opened an attestation",
};

export function titleOf({ action }: Pick<AuditEntry, "action">): string {
  return ACTIONS[action] ?? action;
}

/** Nothing of what was allowed: that it stands there says so. */
export function outcomeOf({ outcome, code }: Pick<AuditEntry, "outcome" | "code">): string {
  if (outcome === "allow") return "";
  return outcome === "deny" ? `Refused (${code ?? "forbidden"})` : "Failed";
}
