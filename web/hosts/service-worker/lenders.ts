/** Pages that have lent their microservice, and which of them lives. */

import { CofferError } from "#protocol/error.ts";
import { type Loan, WANTED } from "#protocol/lent.ts";
import { serviceOf } from "../service/index.ts";
import { lentPort } from "./lent.ts";

/** A page, as a Service Worker sees it. */
export type PageClient = { readonly id: string; postMessage(message: unknown): void };
export type Pages = {
  get(id: string): Promise<PageClient | undefined>;
  all(): Promise<readonly PageClient[]>;
};

type Lender = { page: string; serve(request: Request): Promise<Response>; close(): void };

/** How long pages have to lend one that was asked for, and how often it is looked whether a page lives that works. Milliseconds. */
const PATIENCE = 3_000;
const LOOK = 1_000;

export class Lenders {
  readonly #pages: Pages;
  readonly #patience: number;
  #lenders: Lender[] = [];
  #waiting: (() => void)[] = [];

  constructor(pages: Pages, patience = PATIENCE) {
    this.#pages = pages;
    this.#patience = patience;
  }

  /** A page lends its microservice; what it lent before ends. */
  take({ custodian }: Loan, page: string, port: MessagePort): void {
    this.#drop(page);
    const lent = lentPort(port);
    this.#lenders.unshift({ page, serve: serviceOf({ port: lent, custodian }), close: () => lent.close() });
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Answers by a page that lives. Throws `no-microservice` where there is none, and where the one that worked has gone. */
  async serve(request: Request): Promise<Response> {
    const lender = (await this.#living()) ?? (await this.#asked());
    if (!lender) throw new CofferError("no-microservice");
    const answered = lender.serve(request);
    const looking = setInterval(async () => {
      if (!(await this.#pages.get(lender.page))) this.#drop(lender.page);
    }, LOOK);
    return answered.finally(() => clearInterval(looking));
  }

  async #living(): Promise<Lender | undefined> {
    for (const lender of [...this.#lenders]) {
      if (await this.#pages.get(lender.page)) return lender;
      this.#drop(lender.page);
    }
    return undefined;
  }

  /** A Service Worker that was stopped has forgotten who lent; whoever has a microservice is asked. */
  async #asked(): Promise<Lender | undefined> {
    const lent = new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(resolve, this.#patience);
    });
    for (const page of await this.#pages.all()) page.postMessage({ type: WANTED });
    await lent;
    return this.#living();
  }

  #drop(page: string): void {
    for (const lender of this.#lenders.filter((one) => one.page === page)) lender.close();
    this.#lenders = this.#lenders.filter((one) => one.page !== page);
  }
}
