/** Whether it is a key as an instance has entrusted it to its custodian (M10: a JWE of `dir`, whose encrypted key is empty), and no EDK. */
export function isLocalKey(key: string): boolean {
  return key.includes("..");
}
