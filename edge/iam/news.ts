/** What an account's object has decided and others have still to hear. */

/** What the account's object has still to tell, and whom. */
export type End =
  | { to: "datastore" | "kms" | "principal"; left: string; requestId: string }
  | { to: "kms" | "datastore" | "tenant" | "store"; shredded: true; requestId: string };

/** For the principal's object: the account is one of its own. Told in order with what ends a membership. */
export type Join = { to: "principal"; joined: string; name: string; created: number };

/** What a principal's object tells that of an account until it was heard. Heard again, it changes nothing. */
export type Founding = {
  account: string;
  principal: string;
  name: string;
  created: number;
  /** The tenant's object has it from an earlier release. */
  earlier: boolean;
  /** Of an account that its first member has made beside the own one. */
  nonce?: string;
  /** The app that it is made in, by its client id. Without one, as where an earlier release has begun it, its keys come with the first request for them. */
  app?: string;
  requestId: string;
};

/** What the account's object has still to order: keys that are made with the account (W11), for which app. */
export type FirstKeys = { owner: string; app: string; requestId: string };
