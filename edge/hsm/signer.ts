/** Signs with a private key that is in an HSM and stays there. */
export interface Signer {
  /** ECDSA P-256 with SHA-256 over `data` by the private key with this Name: raw r || s, 64 bytes. */
  sign(name: string, data: Uint8Array): Promise<Uint8Array<ArrayBuffer>>;
}
