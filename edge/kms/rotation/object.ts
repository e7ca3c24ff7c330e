import { DurableObject } from "cloudflare:workers";
import { wakeBy } from "../../alarm.ts";
import { authorize } from "../../authorize.ts";
import { configuredBound } from "../../bound.ts";
import { fail, ok, type Result } from "../../result.ts";
import { hasStore, openStore, type Store, subjectOf } from "../../store.ts";
import { within } from "../../within.ts";
import {
  addAccount,
  begin,
  dueAccounts,
  failed,
  masterOf,
  moved,
  nextDue,
  PARTS,
  type Progress,
  partNumber,
  progress,
  ROTATION_MIGRATIONS,
  removeAccount,
} from "./accounts.ts";
import { restedAt, turnOf } from "./turns.ts";

/** Accounts that one tenant's rotation goes through in a second, unless configured otherwise: requests go before it. */
const PER_SECOND = 50;
/**
 * A rotation begins when no isolate and no batch at the HSM goes on with the key before: ten seconds that an isolate knows the
 * master key, and some for what is under way then. Milliseconds.
 */
const SETTLE_MS = 15_000;
/** An account that says nothing for so long is looked at again later. */
const PATIENCE_MS = 30_000;

/** What the rotation needs of the IAM. */
interface Neighbours {
  IAM: {
    /** Moves the account's keys, and says under which master key they are and how many are not. */
    followMaster(of: {
      tenant: string;
      account: string;
      requestId: string;
    }): Promise<Result<{ master: string | null; left: number }>>;
  };
}

/**
 * A part of a tenant's accounts, named `<tenant>/accounts.<number>`, and the rotation of the master key over them. It goes by alarm
 * from account to account at a set pace; which have moved is a row each, so that a crash goes on where it was.
 */
export class KmsRotationObject extends DurableObject<Env> {
  /** From one account of this part to the next, milliseconds. */
  readonly #interval: number;
  /** Until when it rests, milliseconds since 1970: its alarm rings for other things too. */
  #rested = 0;
  #store: Store | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const perSecond = configuredBound(
      "COFFER_ROTATION_PER_SECOND",
      env.COFFER_ROTATION_PER_SECOND,
      PER_SECOND,
    );
    this.#interval = (PARTS * 1000) / perSecond;
    if (hasStore(ctx)) ctx.waitUntil(this.#wake());
  }

  /** For the IAM: the account lives. Heard again, it changes nothing. */
  async add(account: string): Promise<Result<null>> {
    addAccount(this.#open().sql, account);
    await this.#wake();
    return ok(null);
  }

  /** The account is shredded: it has no keys that could move. */
  remove(account: string): Result<null> {
    if (hasStore(this.ctx)) removeAccount(this.#open().sql, account);
    return ok(null);
  }

  async begin(of: { master: string; requestId: string }): Promise<Result<Progress>> {
    const { master, requestId } = of;
    const about = { action: "kms:rotate-master-key", caller: null, resource: `key/${master}`, requestId };
    const begun = authorize<Progress>(this.#open(), about, (sql) => {
      begin(sql, master, Date.now() + SETTLE_MS);
      return ok(progress(sql));
    });
    await this.#wake();
    return begun;
  }

  progress(): Result<Progress> {
    if (!hasStore(this.ctx)) return ok({ master: null, all: 0, moved: 0, failed: 0 });
    return ok(progress(this.#open().sql));
  }

  override async alarm(): Promise<void> {
    if (!hasStore(this.ctx)) return;
    await this.#open().flush();
    await this.#work();
  }

  /** One account, so that a tenant's rotation never asks the HSM for more than one key a part, and then a rest. */
  async #work(): Promise<void> {
    const { sql, tenant } = this.#open();
    const began = Date.now();
    const master = masterOf(sql);
    const [account] = began < this.#rested ? [] : dueAccounts(sql, began, 1);
    if (master === null || account === undefined) return this.#wake();
    const answer = await this.#follow(tenant, account);
    const ended = Date.now();
    if (answer.ok && answer.value.left === 0 && answer.value.master === master) moved(sql, account, master);
    else {
      failed(sql, account, ended);
      const code = answer.ok ? "not-moved" : answer.problem.code;
      console.warn(JSON.stringify({ event: "rotation-waits", account, code }));
    }
    this.#rested = restedAt(began, ended, this.#interval);
    await this.#wake();
  }

  #follow(tenant: string, account: string) {
    const IAM: Neighbours["IAM"] = this.env.IAM_FOR_KMS;
    const requestId = crypto.randomUUID();
    const answer = IAM.followMaster({ tenant, account, requestId }).catch(() => fail("internal"));
    return within(PATIENCE_MS, answer, () => fail("internal"));
  }

  /** When the next account's turn is, and not before. */
  async #wake(): Promise<void> {
    const { sql } = this.#open();
    const due = nextDue(sql);
    if (due === null) return;
    const turn = turnOf(partNumber(subjectOf(sql)), this.#interval, Math.max(due, this.#rested, Date.now()));
    await wakeBy(this.ctx.storage, turn);
  }

  #open(): Store {
    const { ctx, env } = this;
    this.#store ??= openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: ROTATION_MIGRATIONS });
    return this.#store;
  }
}
