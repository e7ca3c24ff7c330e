import { principalId } from "#protocol/principal.ts";
import { fail, ok, type Result } from "../result.ts";
import { hashSecret } from "../secret.ts";
import type { Tenant } from "../tenants.ts";
import type { Addresses } from "./addresses.ts";
import { findClient } from "./clients.ts";
import { providerError } from "./provider-error.ts";
import { checkTicket, makeTicket, type Question, type TicketCheck } from "./ticket.ts";
import type { VaultSession } from "./types.ts";

/** What the vault's account page shows: who is signed in there, and in which apps (by origin). */
export type Account = {
  name: string;
  apps: string[];
  ticket: string;
  /** Where signing out leads: the provider's address for it, if it has one. */
  logout: string | null;
};

/** A page of the vault with a form. */
type OfPage = { cookie: string | null } & Pick<Question, "page" | "about">;
type Present = { session: VaultSession | null; clients: string[] };

/** The vault's session: who is signed in there, what its pages ask, and how it ends. */
export class VaultSessions {
  readonly #at: Addresses;

  constructor(at: Addresses) {
    this.#at = at;
  }

  /** A person signed out at the provider, which says so by a token of its own: all sessions of theirs end here. */
  async loggedOut({ tenant, token, requestId }: { tenant: string; token: string; requestId: string }) {
    const party = await this.#at.party(this.#at.tenant(tenant));
    if (party === null) return fail("not-found");
    try {
      const { issuer, subject, ...once } = await party.loggedOut(token);
      const principal = await principalId({ tenant, issuer, subject });
      const { jti, until } = once;
      return await this.#at.principal(tenant, principal).loggedOut({ jti, until, requestId });
    } catch (error) {
      const { message: reason } = providerError(error, requestId);
      return this.#at.object(tenant).refuseLogout({ reason, requestId });
    }
  }

  /**
   * An app ends what was issued to it in this session (`app` is its origin), and nothing else; the vault, with null, ends
   * the session and all that was issued in it. Errors: `foreign-origin` for an unknown app.
   */
  async signOut(request: {
    tenant: string;
    cookie: string;
    app: string | null;
    requestId: string;
  }): Promise<Result<null>> {
    const { tenant, cookie, app, requestId } = request;
    const object = this.#at.holder(tenant, cookie);
    if (object === null) return ok(null);
    if (app === null) return object.signOut({ cookie, client: null, requestId });
    const client = this.#at.tenant(tenant).apps.find(({ origin }) => origin === app);
    return client === undefined
      ? fail("foreign-origin")
      : object.signOut({ cookie, client: client.id, requestId });
  }

  /** For the vault's account page; null when nobody is signed in. */
  async account({ tenant, cookie }: { tenant: string; cookie: string }): Promise<Result<Account | null>> {
    const asked = { cookie, page: "account", about: "" } as const;
    const { session, ticket, clients } = await this.asking(tenant, asked);
    if (session === null) return ok(null);
    const apps = clients
      .map((id) => findClient(this.#at.tenant(tenant), id)?.origin)
      .filter((origin) => origin !== undefined);
    return ok({ name: session.name, apps, ticket, logout: await this.#logout(this.#at.tenant(tenant)) });
  }

  /** Signs out as the form of the account page asks; answers why not where its ticket does not hold. */
  async leave(request: {
    tenant: string;
    cookie: string;
    app: string | null;
    ticket: string;
    requestId: string;
  }): Promise<Result<{ again?: "early" | "late"; logout?: string | null }>> {
    const { ticket, ...rest } = request;
    const { tenant, cookie } = rest;
    const asked = { cookie, page: "account", about: "" } as const;
    const answered = await this.answered(tenant, { ...asked, ticket });
    if (!answered.ok) return ok({ again: answered.again });
    const ended = await this.signOut(rest);
    if (!ended.ok) return ended;
    return ok(rest.app === null ? { logout: await this.#logout(this.#at.tenant(tenant)) } : {});
  }

  /** Who the vault's cookie stands for. */
  async session({
    tenant,
    cookie,
  }: {
    tenant: string;
    cookie: string;
    requestId: string;
  }): Promise<Result<VaultSession>> {
    const { session } = await this.#session(tenant, cookie);
    return session === null ? fail("no-session") : ok(session);
  }

  async #session(tenant: string, cookie: string | null): Promise<Present> {
    const holder = cookie === null ? null : this.#at.holder(tenant, cookie);
    if (cookie === null || holder === null) return { session: null, clients: [] };
    return holder.session({ cookie });
  }

  /** Whom a page asks, in which apps that person is signed in, and the ticket for the page's form. */
  async asking(tenant: string, { cookie, ...asked }: OfPage): Promise<Present & { ticket: string }> {
    const [present, key, session] = await Promise.all([
      this.#session(tenant, cookie),
      this.#at.ticketKey(tenant),
      cookie === null ? null : hashSecret(cookie),
    ]);
    return { ...present, ticket: await makeTicket(key, { ...asked, session }, Date.now()) };
  }

  /** What becomes of a form's ticket. */
  async answered(
    tenant: string,
    { cookie, ticket, ...asked }: OfPage & { ticket: string },
  ): Promise<TicketCheck> {
    const session = cookie === null ? null : await hashSecret(cookie);
    return checkTicket(await this.#at.ticketKey(tenant), { ...asked, session }, ticket, Date.now());
  }

  /** Where to sign out at the provider too. A provider that does not answer keeps nobody from signing out here. */
  async #logout(tenant: Tenant): Promise<string | null> {
    try {
      return (await (await this.#at.party(tenant))?.logout(`${tenant.vault}/account`)) ?? null;
    } catch (error) {
      providerError(error);
      return null;
    }
  }
}
