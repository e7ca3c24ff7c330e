/** R2 keys: ids alone, so that a listing of the bucket reveals only who has how many bytes. */

type Named = { account: string; id: string };

export function contentKey(tenant: string, { account, id }: Named): string {
  return `${tenant}/${account}/${id}/content`;
}

export function metadataKey(tenant: string, { account, id }: Named): string {
  return `${tenant}/${account}/${id}/metadata`;
}

/** What all keys of an account begin with. */
export function accountPrefix(tenant: string, account: string): string {
  return `${tenant}/${account}/`;
}
