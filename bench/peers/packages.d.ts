/** What is used here of packages that are installed on demand (`npm ci` in this folder), so that types are checked without them. */

type Stream = ReadableStream<Uint8Array<ArrayBuffer>>;

declare module "age-encryption" {
  export function generateIdentity(): Promise<string>;
  export function identityToRecipient(identity: string): Promise<string>;
  export class Encrypter {
    addRecipient(recipient: string): void;
    encrypt(file: Stream): Promise<Stream>;
  }
  export class Decrypter {
    addIdentity(identity: string): void;
    decrypt(file: Stream): Promise<Stream>;
  }
}

declare module "openpgp" {
  type Config = { aeadProtect: boolean };
  type Key = object;
  export function generateKey(options: {
    userIDs: { name: string }[];
    format: "object";
    config: Config;
  }): Promise<{ privateKey: Key; publicKey: Key }>;
  export function createMessage(options: { binary: Stream }): Promise<object>;
  export function readMessage(options: { binaryMessage: Stream }): Promise<object>;
  export function encrypt(options: {
    message: object;
    encryptionKeys: Key;
    format: "binary";
    config: Config;
  }): Promise<Stream>;
  export function decrypt(options: {
    message: object;
    decryptionKeys: Key;
    format: "binary";
  }): Promise<{ data: Stream }>;
}

declare module "@opentdf/client" {
  type AuthProvider = {
    updateClientPublicKey(): Promise<void>;
    withCreds(request: object): Promise<object>;
  };
  export class TDF3Client {
    constructor(options: {
      clientId: string;
      kasEndpoint: string;
      kasPublicKey: string;
      authProvider: AuthProvider;
    });
    encrypt(options: {
      source: Stream;
      offline: boolean;
      scope: { attributes: string[]; dissem: string[] };
    }): Promise<{ stream: Stream }>;
  }
}

declare module "libsodium-wrappers" {
  type Bytes = Uint8Array<ArrayBuffer>;
  type State = object;
  const sodium: {
    ready: Promise<void>;
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE: number;
    crypto_secretstream_xchacha20poly1305_TAG_FINAL: number;
    crypto_secretstream_xchacha20poly1305_keygen(): Bytes;
    crypto_secretstream_xchacha20poly1305_init_push(key: Bytes): { state: State; header: Bytes };
    crypto_secretstream_xchacha20poly1305_push(state: State, chunk: Bytes, ad: null, tag: number): Bytes;
    crypto_secretstream_xchacha20poly1305_init_pull(header: Bytes, key: Bytes): State;
    crypto_secretstream_xchacha20poly1305_pull(
      state: State,
      chunk: Bytes,
    ): { message: Bytes; tag: number } | false;
  };
  export default sodium;
}

declare module "@aws-crypto/client-browser" {
  type Bytes = Uint8Array<ArrayBuffer>;
  export const CommitmentPolicy: { REQUIRE_ENCRYPT_REQUIRE_DECRYPT: string };
  export const AlgorithmSuiteIdentifier: {
    ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY: number;
  };
  export const RawAesWrappingSuiteIdentifier: { AES256_GCM_IV12_TAG16_NO_PADDING: number };
  export class RawAesKeyringWebCrypto {
    static importCryptoKey(key: Bytes, wrappingSuite: number): Promise<CryptoKey>;
    constructor(options: {
      keyNamespace: string;
      keyName: string;
      masterKey: CryptoKey;
      wrappingSuite: number;
    });
  }
  export function buildClient(policy: string): {
    encrypt(
      keyring: RawAesKeyringWebCrypto,
      plaintext: Bytes,
      options: { suiteId: number; frameLength: number },
    ): Promise<{ result: Bytes }>;
    decrypt(keyring: RawAesKeyringWebCrypto, message: Bytes): Promise<{ plaintext: Bytes }>;
  };
}
