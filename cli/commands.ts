/** The commands of `coffer`, by name. */

export type Command = { run: (args: string[]) => Promise<number>; help: string };

/** Each command is loaded when it is called: \`--help\` needs none of what they import. */
export const COMMANDS: Record<string, () => Promise<Command>> = {
  start: async () => {
    const { start, START_HELP } = await import("./start.ts");
    return { run: start, help: START_HELP };
  },
  init: async () => {
    const { init, INIT_HELP } = await import("./init.ts");
    return { run: init, help: INIT_HELP };
  },
  rotate: async () => {
    const { rotate, ROTATE_HELP } = await import("./rotate.ts");
    return { run: rotate, help: ROTATE_HELP };
  },
  recovery: async () => {
    const { recovery, RECOVERY_HELP } = await import("./recovery.ts");
    return { run: recovery, help: RECOVERY_HELP };
  },
  operations: async () => {
    const { operations, OPERATIONS_HELP } = await import("./operations.ts");
    return { run: operations, help: OPERATIONS_HELP };
  },
  hsm: async () => {
    const { hsm, HSM_HELP } = await import("./hsm.ts");
    return { run: hsm, help: HSM_HELP };
  },
  seal: async () => {
    const { seal, SEAL_HELP } = await import("./seal.ts");
    return { run: seal, help: SEAL_HELP };
  },
  open: async () => {
    const { open, OPEN_HELP } = await import("./open.ts");
    return { run: open, help: OPEN_HELP };
  },
  list: async () => {
    const { list, LIST_HELP } = await import("./list.ts");
    return { run: list, help: LIST_HELP };
  },
  rename: async () => {
    const { rename, RENAME_HELP } = await import("./documents.ts");
    return { run: rename, help: RENAME_HELP };
  },
  delete: async () => {
    const { deleteDocuments, DELETE_HELP } = await import("./documents.ts");
    return { run: deleteDocuments, help: DELETE_HELP };
  },
  replace: async () => {
    const { replace, REPLACE_HELP } = await import("./versions.ts");
    return { run: replace, help: REPLACE_HELP };
  },
  versions: async () => {
    const { versions, VERSIONS_HELP } = await import("./versions.ts");
    return { run: versions, help: VERSIONS_HELP };
  },
  restore: async () => {
    const { restore, RESTORE_HELP } = await import("./restore.ts");
    return { run: restore, help: RESTORE_HELP };
  },
  finish: async () => {
    const { finish, FINISH_HELP } = await import("./documents.ts");
    return { run: finish, help: FINISH_HELP };
  },
  "re-encrypt": async () => {
    const { reEncrypt, RE_ENCRYPT_HELP } = await import("./re-encrypt.ts");
    return { run: reEncrypt, help: RE_ENCRYPT_HELP };
  },
  account: async () => {
    const { account, ACCOUNT_HELP } = await import("./account.ts");
    return { run: account, help: ACCOUNT_HELP };
  },
  key: async () => {
    const { key, KEY_HELP } = await import("./key.ts");
    return { run: key, help: KEY_HELP };
  },
  instance: async () => {
    const { instance, INSTANCE_HELP } = await import("./instance.ts");
    return { run: instance, help: INSTANCE_HELP };
  },
  export: async () => {
    const { exportAll, EXPORT_HELP } = await import("./export.ts");
    return { run: exportAll, help: EXPORT_HELP };
  },
  member: async () => {
    const { member, MEMBER_HELP } = await import("./member.ts");
    return { run: member, help: MEMBER_HELP };
  },
  admin: async () => {
    const { admin, ADMIN_HELP } = await import("./admin.ts");
    return { run: admin, help: ADMIN_HELP };
  },
  client: async () => {
    const { client, CLIENT_HELP } = await import("./registered-client.ts");
    return { run: client, help: CLIENT_HELP };
  },
  launch: async () => {
    const { launchMicroservice, LAUNCH_HELP } = await import("./launch.ts");
    return { run: launchMicroservice, help: LAUNCH_HELP };
  },
  release: async () => {
    const { release, RELEASE_HELP } = await import("./release.ts");
    return { run: release, help: RELEASE_HELP };
  },
  "secret-zero": async () => {
    const { secretZero, SECRET_ZERO_HELP } = await import("./secret-zero.ts");
    return { run: secretZero, help: SECRET_ZERO_HELP };
  },
  share: async () => {
    const { share, SHARE_HELP } = await import("./share.ts");
    return { run: share, help: SHARE_HELP };
  },
  unshare: async () => {
    const { unshare, UNSHARE_HELP } = await import("./share.ts");
    return { run: unshare, help: UNSHARE_HELP };
  },
  shares: async () => {
    const { shares, SHARES_HELP } = await import("./share.ts");
    return { run: shares, help: SHARES_HELP };
  },
  microservice: async () => {
    const { microservice, MICROSERVICE_HELP } = await import("./microservice.ts");
    return { run: microservice, help: MICROSERVICE_HELP };
  },
  sidecar: async () => {
    const { sidecar, SIDECAR_HELP } = await import("./sidecar.ts");
    return { run: sidecar, help: SIDECAR_HELP };
  },
  audit: async () => {
    const { audit, AUDIT_HELP } = await import("./audit.ts");
    return { run: audit, help: AUDIT_HELP };
  },
  policy: async () => {
    const { policy, POLICY_HELP } = await import("./policy.ts");
    return { run: policy, help: POLICY_HELP };
  },
  doctor: async () => {
    const { doctor, DOCTOR_HELP } = await import("./doctor/index.ts");
    return { run: doctor, help: DOCTOR_HELP };
  },
  completion: async () => {
    const { completion, COMPLETION_HELP } = await import("./completion.ts");
    return { run: (args) => completion(args, helps), help: COMPLETION_HELP };
  },
};

/** The help of each command. */
export async function helps(): Promise<Map<string, string>> {
  const each = Object.entries(COMMANDS).map(async ([name, load]) => [name, (await load()).help] as const);
  return new Map(await Promise.all(each));
}
