/** A registered relying party. */
export type Client = {
  id: string;
  redirectUris: string[];
  /** Where a browser may be sent after a logout. */
  afterLogout: string[];
  /** A confidential client's; without it, a public one. */
  secret?: string;
};
