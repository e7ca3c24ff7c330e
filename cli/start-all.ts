import { join } from "node:path";
import type { IamHost } from "#edge/iam-host.ts";
import { type ApartDomain, startEdge, type TenantTable } from "#edge/local.ts";
import { unitsWith } from "#edge/units.ts";
import { REGISTRATION_DOOR, startFaultSwitch, VERIFIER_DOOR } from "#emulator/enclave/index.ts";
import { ensurePki, type Pki, startHsm } from "#emulator/hsm/index.ts";
import { lockFolder } from "#files/index.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import type { MasterKeys } from "#protocol/hierarchy/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { createKmipClient } from "#protocol/kmip/index.ts";
import { DEFAULT_LEVEL, type Level } from "#protocol/level.ts";
import { pinWeb } from "#web/pin.ts";
import { developmentAttestation } from "./attestation.ts";
import { bootstrap } from "./bootstrap.ts";
import { CommandError } from "./command-error.ts";
import { BY_NAME } from "./development-issuer.ts";
import { type Loopback, startProvider, withProvider } from "./development-provider.ts";
import { endOrphan, forgetChild, noteChild } from "./orphan.ts";
import { edgeUnits, edgeWorker, webParts } from "./parts/index.ts";
import { freePort, withHsmPorts } from "./ports.ts";
import { newStateFolder, type StateFolder, stateFolderOf } from "./state-folder.ts";

/** The tenant of a development deployment. Its objects and documents are stored under this name. */
const TENANT = "development";
/** The shipped page's id as an app, whatever port it is on. */
const PAGE = "page";

export interface StartOptions {
  /** Where the PKI, the HSM's store and the edge's state are kept; made when absent. */
  dir: string;
  /** Ports that must be used as given; a port left out is the usual one or the next free one after it. */
  ports?: {
    app?: number | undefined;
    vault?: number | undefined;
    ttlv?: number | undefined;
    https?: number | undefined;
    /** The development identity provider's. */
    identity?: number | undefined;
    /** That of the page of faults; 0 for any. */
    faults?: number | undefined;
  };
  /** What page and vault are on, localhost by default; the development identity provider is on the other. */
  host?: Loopback;
  /** More apps of the development tenant, by their origins. */
  apps?: string[];
  /** Those of them that a server of the app's own listens on (`passedOn` of the edge). */
  passedOn?: string[];
  /** Release level of the development tenant: for good, once its master key is made. */
  level?: Level;
  /** What its master key is made as, where it is made now: AES-256 by default. */
  masterKey?: MasterKeys;
  /** People who administer the development tenant, by the names that they sign in with. */
  admins?: string[];
  /** What else stands of the development tenant in the table of tenants. */
  settings?: Omit<TenantTable[string], "vault" | "apps" | "level" | "admins">;
  /** More tenants, each with keys of its own. */
  tenants?: TenantTable;
  /** Override the edge's variables (wrangler.toml). */
  vars?: Record<string, string>;
  /** Each unit of the edge as a process of its own, with a folder of its own (W13); so is a folder that was before. */
  split?: boolean;
  /** In split operation: the unit that the IAM is a module of (W15); so is a folder that was before. */
  iamIn?: IamHost | undefined;
  /** Domains that have an HSM of their own, an emulator each, with a PKI of its own. */
  apart?: ApartDomain[];
  /** Where the edge reaches the HSM that listens on this port of 127.0.0.1; that port itself unless said otherwise. */
  hsmDoor?: (port: number) => Promise<number>;
  /** Called with each step as it ends. */
  step?: (text: string) => void;
}

/**
 * Starts the HSM emulator, bootstraps it as its officer, builds the page and starts the edge in workerd, in a folder that
 * no other server has until it is closed. Error: `folder-in-use`.
 */
export async function startAll(options: StartOptions) {
  const lock = lockFolder(options.dir);
  try {
    for (const folder of childFolders(options.dir)) await endOrphan(folder);
    const running = await startAlone(options);
    return {
      ...running,
      async close() {
        await running
          .close()
          .then(() => Promise.all(childFolders(options.dir).map(forgetChild)))
          .finally(lock.release);
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Where it is written down which workerd was started: for all in one, and for each unit. */
function childFolders(dir: string): string[] {
  const state = stateFolderOf(dir);
  return state?.split ? unitsWith(state.iamIn).map((unit) => join(state.path, unit)) : [dir];
}

/** What one worker has stored no unit finds: the folder stays as it is. */
function stateFolder(dir: string, split: boolean | undefined, iamIn: IamHost | undefined): StateFolder {
  const there = stateFolderOf(dir);
  if (there !== null && split === true && !there.split)
    throw new CommandError(
      `What is stored in ${dir} is of one worker: with --split take another folder (--dir).`,
    );
  if (there !== null && iamIn !== undefined && there.iamIn !== iamIn)
    throw new CommandError(
      `What is stored in ${dir} is of an IAM elsewhere: with --iam-in take another folder (--dir).`,
    );
  return there ?? newStateFolder(dir, split ?? false, iamIn);
}

async function startAlone(options: StartOptions) {
  const { dir, ports = {}, apps = [], level = DEFAULT_LEVEL, tenants, vars, step = () => {} } = options;
  const { host = "localhost" } = options;
  const admins = (options.admins ?? []).map((subject) => ({ issuer: BY_NAME, subject }));
  const { path: persist, split, iamIn } = stateFolder(dir, options.split, options.iamIn);
  const pki = await ensurePki(join(dir, "pki"));
  step("development PKI");
  const hsm = await withHsmPorts(ports, (found) => startHsm({ dir: join(dir, "hsm"), pki, ...found }));
  const production = (vars?.COFFER_ENVIRONMENT ?? "development") !== "development";
  step(`HSM emulator: KMIP on 127.0.0.1, TTLV port ${hsm.ttlvPort}, HTTPS port ${hsm.httpsPort}`);
  const others: OtherHsm[] = [];
  const closeHsms = () => Promise.all([hsm, ...others.map(({ hsm }) => hsm)].map((each) => each.close()));
  const ends: (() => Promise<unknown>)[] = [closeHsms];
  try {
    for (const domain of options.apart ?? []) others.push(await startOther(dir, domain));
    const main = asOfficer({ hsm, pki });
    const officers = others.map((other) => ({ domain: other.domain, ...asOfficer(other) }));
    const keys = Object.entries({ [TENANT]: { level }, ...tenants }).map(
      ([name, { level = DEFAULT_LEVEL }]) => {
        const { masterKey } = options;
        return { name, level, ...(name === TENANT && masterKey && { masterKey }) };
      },
    );
    const apart = Object.fromEntries(officers.map(({ domain, client }) => [domain, client]));
    const { rootKey } = await bootstrap(main.client, keys, new Date(), apart).finally(() => {
      for (const { close } of [main, ...officers]) close();
    });
    step("keys made in the HSM: authorities, signing keys, tenant master key");
    const web = await pinWeb(await webParts(), { rootKey, outDir: join(dir, "web") });
    const attestation = await developmentAttestation(dir);
    step("page and microservice built");
    const app = ports.app ?? (await freePort(8787, ports.vault));
    const appOrigin = `http://${host}:${app}`;
    const vaultOrigin = `http://${host}:${ports.vault ?? (await freePort(app + 1))}`;
    const table: TenantTable = {
      [TENANT]: {
        ...options.settings,
        vault: vaultOrigin,
        apps: [`${PAGE}=${appOrigin}`, ...apps],
        level,
        admins,
      },
      ...tenants,
    };
    const provider = production
      ? null
      : await startProvider(table, ports.identity ?? (await freePort(8789, app)), host);
    ends.push(async () => provider?.close());
    if (provider !== null) step(`development identity provider on ${provider.issuer}: asks for a name alone`);
    const port = ports.faults;
    const faults = production ? null : await startFaultSwitch(port === undefined ? {} : { port });
    ends.push(async () => faults?.close());
    if (faults !== null)
      step(`enclave emulator: faults of enrolments, to turn on and off, on ${faults.origin}`);
    const scripts = { RA: REGISTRATION_DOOR, VERIFIER: VERIFIER_DOOR };
    const hsmPort = (await options.hsmDoor?.(hsm.httpsPort)) ?? hsm.httpsPort;
    const edge = await startEdge({
      worker: await edgeWorker(),
      ...(split && { split: await edgeUnits(), iamIn }),
      hsm: {
        url: `https://127.0.0.1:${hsmPort}`,
        ca: pki.serverCa,
        clients: {
          kms: pki.clients[IDENTITY.kms],
          ra: pki.clients[IDENTITY.ra],
          iam: pki.clients[IDENTITY.iam],
          audit: pki.clients[IDENTITY.audit],
        },
        apart: Object.fromEntries(
          others.map(({ domain, hsm, pki }) => [
            domain,
            {
              url: `https://127.0.0.1:${hsm.httpsPort}`,
              ca: pki.serverCa,
              client: pki.clients[IDENTITY[domain]],
            },
          ]),
        ),
      },
      tenants: provider === null ? table : withProvider(table, provider),
      passedOn: options.passedOn ?? [],
      persist,
      assets: join(dir, "web"),
      doors: faults === null ? undefined : { scripts, url: `${faults.origin}/fault` },
      vars: { ...attestation, ...vars },
    });
    ends.push(() => edge.dispose());
    const children = childFolders(dir);
    await Promise.all(Object.values(edge.pids).map((pid, index) => noteChild(children[index] ?? dir, pid)));
    step(
      split
        ? `edge as ${children.length} workerd processes: ${unitsWith(iamIn).join(", ")}`
        : "edge worker in workerd",
    );
    return {
      rootKey: new Uint8Array(rootKey),
      appOrigin,
      vaultOrigin,
      hsm,
      others,
      /** Null where production is tried: it has no provider of its own. */
      provider,
      /** Likewise: which fault the next enrolments have. */
      faults,
      edge,
      pki,
      web,
      close: () => endAll(ends),
    };
  } catch (error) {
    await endAll(ends);
    throw error;
  }
}

type StartedHsm = { hsm: Awaited<ReturnType<typeof startHsm>>; pki: Pki };
type OtherHsm = StartedHsm & { domain: ApartDomain };

async function startOther(dir: string, domain: ApartDomain): Promise<OtherHsm> {
  const pki = await ensurePki(join(dir, `pki-${domain}`));
  const hsm = await startHsm({ dir: join(dir, `hsm-${domain}`), pki, ttlvPort: 0, httpsPort: 0 });
  return { domain, hsm, pki };
}

function asOfficer({ hsm, pki }: StartedHsm) {
  const transport = tlsTransport({
    host: "127.0.0.1",
    port: hsm.ttlvPort,
    ca: pki.serverCa,
    ...pki.clients[IDENTITY.officer],
  });
  return { client: createKmipClient(transport), close: () => transport.close() };
}

/** The last that was started first. */
async function endAll(ends: (() => Promise<unknown>)[]): Promise<void> {
  for (const end of ends.toReversed()) await end();
}
