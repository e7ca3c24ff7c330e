/** A first deployment, as docs/operations.md walks through it, as far as it goes without an account. */

import "reflect-metadata";
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { readRootKey } from "#cli/root-key.ts";
import { readTenants } from "#edge/tenants.ts";
import { UNITS } from "#edge/units.ts";
import { ensurePki, type Hsm, startHsm } from "#emulator/hsm/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { IDENTITY, INSTANCES_CA, masterKeyName, ROOT_CA } from "#protocol/hierarchy/index.ts";
import { type Outcome, run } from "./command.ts";

const BUILD = fileURLToPath(new URL("../../cli/build-web.ts", import.meta.url));
let dir: string;
let hsm: Hsm;
let init: string[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "coffer-deploy-"));
  hsm = await startHsm({
    dir: join(dir, "hsm"),
    pki: await ensurePki(join(dir, "pki")),
    ttlvPort: 0,
    httpsPort: 0,
  });
  const officer = ["--cert", "pki/client-coffer-officer.pem", "--key", "pki/client-coffer-officer.key"];
  init = [
    "init",
    "--tenant",
    "acme",
    "--port",
    String(hsm.ttlvPort),
    "--ca",
    "pki/server-ca.pem",
    ...officer,
  ];
});
afterAll(async () => {
  await hsm?.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Where a deployment that should have been refused ends, no matter who is signed in to Cloudflare on this machine. */
const env = { ...process.env, CLOUDFLARE_API_TOKEN: "none", CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:9" };

/** `npm run build` or `npm run deploy` with these options, writing to a folder of its own. */
function build(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BUILD, ...args], { cwd: dir, env }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

it("coffer init makes a deployment's keys in the HSM, and leaves them as they are when run again", async () => {
  const first = await run(init, dir);
  expect(first, first.stderr).toMatchObject({ code: 0 });
  const key = await readRootKey(join(dir, "coffer-root.pem"));
  expect(await run(init, dir)).toMatchObject({ code: 0 });
  expect(await readRootKey(join(dir, "coffer-root.pem"))).toEqual(key);
});

it("W13 coffer init says what would be made, and makes nothing, by --dry-run", async () => {
  const dry = ["init", "--dry-run", "--tenant", "later", ...init.slice(3), "--identities", "later"];
  await run(init, dir);
  const { code, stdout } = await run(dry, dir);
  expect(code).toBe(0);
  expect(stdout).toContain(`is there: ${ROOT_CA.key}, in the HSM`);
  expect(stdout).toContain(`to be made: ${masterKeyName("later")}, in the HSM`);
  expect(stdout).toContain("to be made: later/kms.key, later/kms.csr");
  expect(existsSync(join(dir, "later"))).toBe(false);
  expect((await run(dry, dir)).stdout).toBe(stdout);
});

it("coffer init writes the first admin into the tenant's settings, as the edge reads them", async () => {
  const issuer = ["--issuer", "https://login.acme.example"];
  const first = ["--admin-subject", "7", "--admin-email", "ada@acme.example"];
  const { code, stdout, stderr } = await run([...init, ...issuer, ...first], dir);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain(
    'admins = [{ issuer = "https://login.acme.example", subject = "7" }, { email = "ada@acme.example" }]',
  );
  expect(await run([...init, "--admin-subject", "7"], dir)).toMatchObject({ code: 2 });
  expect(await run([...init, "--admin-email", "ada"], dir)).toMatchObject({ code: 2 });
});

it("W13 coffer init makes an identity for each domain, and replaces none", async () => {
  await run(init, dir);
  const files = () =>
    readdirSync(join(dir, "coffer-identities")).map((name) => [
      name,
      readFileSync(join(dir, "coffer-identities", name), "utf8"),
    ]);
  const made = files();
  expect(made.map(([name]) => name)).toEqual(
    ["audit", "iam", "kms", "ra"].flatMap((domain) => [`${domain}.csr`, `${domain}.key`]),
  );
  expect(statSync(join(dir, "coffer-identities/kms.key")).mode & 0o777).toBe(0o600);
  const request = new x509.Pkcs10CertificateRequest(Object.fromEntries(made)["kms.csr"]!);
  expect(request.subject).toBe(`CN=${IDENTITY.kms}`);
  expect(await request.verify()).toBe(true);
  rmSync(join(dir, "coffer-identities/ra.csr"));
  const again = await run(init, dir);
  expect(again.stdout).toContain("is there: coffer-identities/kms.key");
  expect(again.stdout).not.toMatch(/^made: (?!coffer-identities.ra)/m);
  expect(files().filter(([name]) => name !== "ra.csr")).toEqual(made.filter(([name]) => name !== "ra.csr"));
});

it("W9 coffer init makes a domain's keys at the HSM that the domain has of its own", async () => {
  const pki = await ensurePki(join(dir, "pki-ra"));
  const own = await startHsm({ dir: join(dir, "hsm-ra"), pki, ttlvPort: 0, httpsPort: 0 });
  try {
    const files = ["server-ca.pem", "client-coffer-officer.pem", "client-coffer-officer.key"];
    const at = [`127.0.0.1:${own.ttlvPort}`, ...files.map((file) => `pki-ra/${file}`)].join(",");
    const apart = [...init, "--apart", `ra=${at}`];
    const key = `${INSTANCES_CA.key}, in the HSM`;
    expect((await run([...apart, "--dry-run"], dir)).stdout).toContain(`to be made: ${key}`);
    const made = await run(apart, dir);
    expect(made.stdout, made.stderr).toContain(`made: ${key}`);
    expect((await run([...apart, "--dry-run"], dir)).stdout).toContain(`is there: ${key}`);
    const refused = await run([...init, "--apart", `kms=${at}`], dir);
    expect(refused, refused.stderr).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("--apart takes ra, iam or audit");
  } finally {
    await own.close();
  }
});

it("W13 coffer init gives the tenant's settings as the edge takes them", async () => {
  const settings = ["--vault", "https://vault.acme.org", "--app", "https://app.acme.org"];
  const { stdout } = await run([...init, ...settings, "--issuer", "https://login.acme.org"], dir);
  const entry = /\[vars.COFFER_TENANTS.acme\].*?(?=\n\n5)/s.exec(stdout)?.[0];
  writeFileSync(join(dir, "entry.toml"), `name = "x"\n${entry}\n`);
  const { vars } = unstable_readConfig({ config: join(dir, "entry.toml") });
  const tenant = readTenants(JSON.parse(JSON.stringify(vars.COFFER_TENANTS)), true).byName.get("acme");
  expect(tenant).toMatchObject({
    vault: "https://vault.acme.org",
    oidc: { issuer: "https://login.acme.org" },
  });
  const refused = await run([...init, "--vault", "http://vault.acme.org"], dir);
  expect(refused, refused.stderr).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toContain("is not HTTPS on its usual port");
});

it("M19 coffer init refuses an HSM that keeps less than the tenant is to have, and writes what it goes without", async () => {
  const older = [...init, "--newest", "1.3", "--dry-run"];
  const refused = await run(older, dir);
  expect(refused, refused.stderr).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("kmip/1.3 does not keep sensitive, account-keys");
  const half = await run([...older, "--without", "sensitive"], dir);
  expect(half.stderr).toContain("kmip/1.3 does not keep account-keys");
  const allowed = await run([...older, "--without", "sensitive,account-keys"], dir);
  expect(allowed.stdout).toMatch(
    /^back end: kmip\/1\.3, keeps release-policy; goes without sensitive, account-keys, as was allowed\n/,
  );
  const entry = await run([...init, "--newest", "1.4", "--without", "release-policy"], dir);
  expect(entry.stdout).toContain('.backEnd]\nkind = "kmip"\nnewest = "1.4"\nwithout = ["release-policy"]');
  expect((await run([...init, "--without", "nothing"], dir)).stderr).toContain("--without takes sensitive,");
});

it("coffer init leaves the root key of another deployment as it is", async () => {
  writeFileSync(join(dir, "another.pem"), "another");
  const { code, stderr } = await run([...init, "--root-key", "another.pem"], dir);
  expect(code, stderr).toBe(1);
  expect(stderr).toContain("is another deployment's root key, and stays");
  expect(readFileSync(join(dir, "another.pem"), "utf8")).toBe("another");
});

it("coffer init says what is missing, in a sentence", async () => {
  const sentence = async (args: string[]) => {
    const { code, stderr } = await run(args, dir);
    expect(stderr.trim().split("\n"), stderr).toHaveLength(1);
    return `${code} ${stderr}`;
  };
  expect(await sentence(["init"])).toMatch(/^2 --tenant/);
  expect(await sentence(init.map((arg) => (arg === "pki/server-ca.pem" ? "absent.pem" : arg)))).toMatch(
    /^1 --ca: absent.pem cannot be read/,
  );
  expect(await sentence(init.map((arg) => (arg === String(hsm.ttlvPort) ? "1" : arg)))).toMatch(
    /^1 .*127.0.0.1/,
  );
});

it("npm run build pins the root key in the microservice", async () => {
  expect(await build("build", "--root-key", "coffer-root.pem", "--out", "web")).toMatchObject({ code: 0 });
  const vault = readdirSync(join(dir, "web/vault"));
  const microservice = vault.find((name) => name.startsWith("microservice."))!;
  const key = encodeBase64url(await readRootKey(join(dir, "coffer-root.pem")));
  expect(readFileSync(join(dir, "web/vault", microservice), "utf8")).toContain(key);
});

it("npm run deploy builds what wrangler deploys: a dry run on a fresh clone goes to its end", async () => {
  const { code, stdout, stderr } = await build("deploy", "--dry-run", "--out", "dry");
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("--dry-run: exiting now");
  expect(existsSync(join(dir, "dry/vault/index.html"))).toBe(true);
});

it.each(UNITS)(
  "W13 a dry run of the unit %s goes to its end, and warns of what keeps it from being deployed",
  async (unit) => {
    const { code, stdout, stderr } = await build("deploy", "--dry-run", "--env", unit, "--out", "units");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("--dry-run: exiting now");
    const warned = stderr.split("\n").filter((line) => line.startsWith("Not to be deployed yet: "));
    expect(warned.join()).toMatch(
      { app: /coffer: it has no provider/, datastore: /^$/, caas: /^$/, verifier: /^$/ }[unit as string] ??
        new RegExp(`COFFER_HSM_URL.*HSM_${unit.toUpperCase()} has no`),
    );
  },
);

it("W13 npm run deploy deploys no unit that lacks its HSM and its certificate", async () => {
  const { code, stdout, stderr } = await build("deploy", "--env", "kms");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/COFFER_HSM_URL is .*HSM_KMS has no certificate/);
});

it("npm run deploy deploys no vault that pins no root key", async () => {
  const { code, stdout, stderr } = await build("deploy", "--out", "none");
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("node cli/coffer.js init");
  expect(existsSync(join(dir, "none"))).toBe(false);
});

it("deploys no table of tenants by which nobody would be served, or people's provider asked in the clear, and says what is wrong with it", async () => {
  const table = (vault: string) => `name = "x"
compatibility_date = "2026-10-01"
[vars]
COFFER_ENVIRONMENT = "production"
[vars.COFFER_TENANTS.acme]
vault = "https://vault.example"
apps = ["https://app.example"]
[vars.COFFER_TENANTS.umbrella]
vault = "${vault}"
apps = ["https://app.umbrella.example"]
`;
  const oidc = (issuer: string) =>
    `[vars.COFFER_TENANTS.umbrella.oidc]\nissuer = "${issuer}"\nclientId = "coffer"\n`;
  for (const [written, reason] of [
    [table("https://vault.example"), "vault.example is of acme already"],
    [table("http://vault.umbrella.example"), "is not HTTPS on its usual port"],
    // What development may ask in the clear, production may not.
    ...["http://login.example", "http://127.0.0.1:8789", "http://localhost:8789"].map(
      (issuer) =>
        [
          table("https://vault.umbrella.example") + oidc(issuer),
          `its OpenID Connect issuer ${issuer} is no HTTPS address of a provider`,
        ] as const,
    ),
  ] as const) {
    writeFileSync(join(dir, "tenants.toml"), written);
    const refused = await build("deploy", "--dry-run", "--config", "tenants.toml", "--out", "out");
    expect(refused, refused.stderr).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain(`COFFER_TENANTS, umbrella: `);
    expect(refused.stderr).toContain(reason);
  }
});

it("M12 deploys no table of policies that the KMS could not read, and says what is wrong with it", async () => {
  writeFileSync(
    join(dir, "policies.toml"),
    `name = "x"
compatibility_date = "2026-10-01"
[vars]
COFFER_POLICIES = '{ "acme": { "statements": [] } }'
`,
  );
  const refused = await build("deploy", "--dry-run", "--config", "policies.toml", "--out", "out");
  expect(refused, refused.stderr).toMatchObject({ code: 1 });
  expect(refused.stderr).toContain("COFFER_POLICIES: acme: value.statements");
});

it("M1 W15 deploys no appraisal policy that the verifier could not read, and no place that there is not", async () => {
  for (const [variable, value, reason] of [
    ["COFFER_ATTESTATION", `'{ "*": { "id": "x" } }'`, "COFFER_ATTESTATION: value.accept"],
    ["COFFER_ATTESTATION", `'nothing'`, "COFFER_ATTESTATION: "],
    ["COFFER_KEY_IDENTIFIERS", `'hsm'`, "COFFER_KEY_IDENTIFIERS is hsm, not iam, app, kms"],
    ["COFFER_ACCOUNT_KEYS", `'kms'`, "no two neighbours of the hierarchy are in one place"],
  ] as const) {
    const settings = `name = "x"\ncompatibility_date = "2026-10-01"\n[vars]\n${variable} = ${value}\n`;
    writeFileSync(join(dir, "wrong.toml"), settings);
    const refused = await build("deploy", "--dry-run", "--config", "wrong.toml", "--out", "out");
    expect(refused, refused.stderr).toMatchObject({ code: 1 });
    expect(refused.stderr).toContain(reason);
  }
});

it("W15 deploys the IAM as a module of app or KMS: a dry run of that unit has the bindings of both, and of the IAM none is made", async () => {
  const settings = readFileSync(fileURLToPath(new URL("../../wrangler.split.toml", import.meta.url)), "utf8")
    .replaceAll(
      '"edge/index.ts"',
      JSON.stringify(fileURLToPath(new URL("../../edge/index.ts", import.meta.url))),
    )
    .replace('cwd = "."', `cwd = ${JSON.stringify(fileURLToPath(new URL("../..", import.meta.url)))}`)
    .replace('directory = "dist/web"', `directory = ${JSON.stringify(join(dir, "out"))}`);
  const deploy = async (env: string, host: string, keys: string) => {
    const text = settings
      .replace('COFFER_IAM_IN = ""', `COFFER_IAM_IN = "${host}"`)
      .replace('COFFER_ACCOUNT_KEYS = "iam"', `COFFER_ACCOUNT_KEYS = "${keys}"`);
    writeFileSync(join(dir, "module.toml"), text);
    return build("deploy", "--dry-run", "--config", "module.toml", "--env", env, "--out", "out");
  };
  for (const [host, keys] of [
    ["app", "iam"],
    ["kms", "datastore"],
  ] as const) {
    const done = await deploy(host, host, keys);
    expect(done, `${done.stdout}${done.stderr}`).toMatchObject({ code: 0 });
    for (const binding of ["env.IAM_ACCOUNT_OBJECT", "env.HSM_IAM", "env.KMS_FOR_IAM"])
      expect(done.stdout).toContain(binding);
    expect(done.stdout).not.toContain("coffer-iam#");
    const none = await deploy("iam", host, keys);
    expect(none, none.stderr).toMatchObject({ code: 1 });
    expect(none.stderr).toContain(`the IAM is a module of that unit. Deploy --env ${host}.`);
  }
  const wrong = await deploy("kms", "kms", "iam");
  expect(wrong, wrong.stderr).toMatchObject({ code: 1 });
  expect(wrong.stderr).toContain("Enc(account) has to be with the datastore");
  expect((await deploy("app", "ra", "iam")).stderr).toContain("COFFER_IAM_IN is ra, not app or kms");
}, 240_000);

it("coffer init makes the master keys of several tenants, and later those of new ones", async () => {
  const more = await run([...init, "--tenant", "umbrella", "--tenant", "initech"], dir);
  expect(more, more.stderr).toMatchObject({ code: 0 });
  expect(more.stdout).toContain("acme, of umbrella, of initech");
  for (const wrong of ["Umbrella", "a".repeat(64)])
    expect(await run([...init, "--tenant", wrong], dir), wrong).toMatchObject({ code: 2 });
});

it("M16 coffer operations says whether data keys work in the HSM, and forbids it again", async () => {
  const operations = ["operations", ...init.slice(1)];
  const told = async (...more: string[]) => {
    const { code, stdout, stderr } = await run([...operations, ...more, "--json"], dir);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as unknown;
  };
  expect(await told()).toEqual({ tenant: "acme", allowed: false });
  expect(await told("--forbid")).toEqual({ tenant: "acme", allowed: false });
  expect(await told("--allow")).toEqual({ tenant: "acme", allowed: true });
  expect((await run(operations, dir)).stdout).toBe("Operations in the HSM are allowed for acme.\n");
  expect(await told("--forbid")).toEqual({ tenant: "acme", allowed: false });
  expect(await run([...operations, "--allow", "--forbid"], dir)).toMatchObject({ code: 2 });
  const nobody = operations.map((arg) => (arg === "acme" ? "nobody" : arg));
  expect((await run([...nobody, "--allow"], dir)).stderr).toMatch(/^nobody has no master key/);
});

it("W12 coffer rotate gives a tenant a new master key, tells of it again, and ends the old one", async () => {
  const rotate = ["rotate", ...init.slice(1)];
  const begun = await run(rotate, dir);
  expect(begun, begun.stderr).toMatchObject({ code: 0 });
  expect(begun.stdout).toMatch(/^The master key of acme is \S+, in place of \S+\.\n.*--retire/);
  expect(await run(rotate, dir)).toMatchObject({ code: 0, stdout: begun.stdout });
  // Whether all account keys have moved is not known here: that the old key may go has to be said.
  const unasked = await run([...rotate, "--retire"], dir);
  expect(`${unasked.code} ${unasked.stderr}`).toMatch(/^2 --retire asks the deployment of --dir/);
  const soon = [...rotate, "--retire", "--unchecked"];
  const scheduled = await run([...soon, "--days", "7"], dir);
  expect(scheduled, scheduled.stderr).toMatchObject({ code: 0 });
  expect(scheduled.stdout).toMatch(/goes out of use \d{4}-\d\d-\d\d .*UTC\. To keep it: .* --keep\n/);
  // Said again it keeps its time.
  expect(await run(soon, dir)).toMatchObject({ code: 0, stdout: scheduled.stdout });
  expect((await run([...rotate, "--keep"], dir)).stdout).toContain("is kept");
  const retire = [...soon, "--immediately"];
  const retired = await run(retire, dir);
  expect(retired, retired.stderr).toMatchObject({ code: 0 });
  expect(retired.stdout).toContain("is destroyed");
  expect((await run(retire, dir)).stdout).toContain("No old master key");
  for (const wrong of [
    ["--retire", "--unchecked", "--keep"],
    ["--days", "7"],
    ["--immediately"],
    ["--retire", "--unchecked", "--days", "6"],
  ])
    expect(await run([...rotate, ...wrong], dir), wrong.join(" ")).toMatchObject({ code: 2 });
  const told = await run([...retire, "--json"], dir);
  expect(JSON.parse(told.stdout)).toEqual({ tenant: "acme", master: expect.any(String), retired: null });
  expect(await run([...rotate, "--unchecked"], dir)).toMatchObject({ code: 2 });
  expect(await run([...rotate, "--kind", "RSA-3072"], dir)).toMatchObject({ code: 0 });
  for (const [command, option] of [
    [rotate, "--kind"],
    [init, "--master-key"],
  ] as const)
    expect(await run([...command, option, "RSA-2048"], dir)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${option} takes AES-256 or RSA-3072.`),
    });
  const nobody = rotate.map((arg) => (arg === "acme" ? "nobody" : arg));
  const { code, stderr } = await run(nobody, dir);
  expect(`${code} ${stderr}`).toMatch(/^1 nobody has no master key/);
});

const WRANGLER = fileURLToPath(new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** `wrangler deploy` itself, past `npm run deploy`. */
function wrangler(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const child = execFile(
      process.execPath,
      [WRANGLER, "deploy", ...args],
      { cwd: root, env },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

it.each([
  ["of all domains", []],
  ["of the unit iam", ["--config", "wrangler.split.toml", "--env", "iam"]],
])(
  "wrangler deploy %s fails for a tenant without a provider, whoever starts it, and a dry run warns of it",
  async (_, args) => {
    const lacking = /COFFER_TENANTS, coffer: it has no provider/;
    const real = await wrangler(...args);
    expect(real.code).toBe(1);
    expect(real.stdout + real.stderr).toMatch(lacking);
    expect(real.stdout + real.stderr).not.toContain("Not to be deployed yet");
    const assets = join(dir, "assets");
    mkdirSync(assets, { recursive: true });
    const out = ["--outdir", join(dir, "worker"), ...(args.length === 0 ? ["--assets", assets] : [])];
    const dry = await wrangler(...args, "--dry-run", ...out);
    expect(dry.code, dry.stderr).toBe(0);
    expect(dry.stdout + dry.stderr).toMatch(lacking);
    expect(dry.stdout).toContain("--dry-run: exiting now");
  },
);

it("W1 coffer recovery destroys no master key that its recovery recipient has not, and brings no other's key", async () => {
  const at = (...args: string[]) => [...args, ...init.slice(3)];
  const level = await run(at("init", "--tenant", "strict", "--level", "master"), dir);
  expect(level, level.stderr).toMatchObject({ code: 0 });
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const passphrase = "a secret of the recovery recipient";
  const form = { format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase } as const;
  writeFileSync(join(dir, "recovery.key"), privateKey.export(form));
  writeFileSync(join(dir, "passphrase"), `${passphrase}\n`);
  const key = ["--recovery-key", "recovery.key", "--recovery-passphrase-file", "passphrase"];
  const printed = await run(["recovery", "thumbprint", ...key], dir);
  expect(printed, printed.stderr).toMatchObject({ code: 0 });
  const recipient = printed.stdout.trim();
  expect(recipient).toMatch(/^[\w-]{43}$/);
  const of = ["--tenant", "strict", `--recipient=${recipient}`];
  const unsaid = await run(at("recovery", "destroy", ...of), dir);
  expect(unsaid).toMatchObject({ code: 2, stderr: expect.stringContaining("say --immediately") });
  const destroyed = await run(at("recovery", "destroy", "--immediately", ...of), dir);
  expect(destroyed).toMatchObject({ code: 1, stderr: expect.stringContaining("prepare comes first") });
  const begun = await run(at("recovery", "begin", ...of, ...key), dir);
  expect(begun).toMatchObject({ code: 1, stderr: expect.stringContaining("No master key of strict") });
  const acme = await run(
    at("recovery", "destroy", "--immediately", "--tenant", "acme", `--recipient=${recipient}`),
    dir,
  );
  expect(acme).toMatchObject({ code: 1, stderr: expect.stringContaining("nobody has it but the HSM") });
  expect(await run(at("recovery", "destroy", "--tenant", "strict", "--recipient", "x"), dir)).toMatchObject({
    code: 2,
  });
  expect(await run(["recovery", "else"], dir)).toMatchObject({ code: 2 });
});
