/** Characters of a policy of statements, as JSON. */
export const MAX_POLICY_LENGTH = 65_536;
