import {
  createKmipClient,
  type KmipClient,
  type KmipClientOptions,
  negotiateVersion,
  type ProtocolVersion,
} from "#protocol/kmip/index.ts";
import { type TlsPoolOptions, tlsPool } from "./tls-transport.ts";

export type KmipConnectOptions = TlsPoolOptions &
  Pick<KmipClientOptions, "credentials" | "attest" | "limits"> & {
    /** Versions to choose from; all that the codec knows by default. One version is used without asking the server. */
    versions?: readonly [ProtocolVersion, ...ProtocolVersion[]];
  };

export type ConnectedKmipClient = KmipClient & { close(): void };

/**
 * A KMIP client over mutual TLS in the newest version that client and server know. Throws `TransportError` when no
 * server can be reached, `KmipError` (`UnsupportedProtocolVersion`) when there is no version in common.
 *
 * @example
 * const client = await connectKmip({ servers: [{ host: "hsm.example.org", port: 5696 }], ca, cert, key });
 * const { object } = await client.request("Get", { uniqueIdentifier });
 */
export async function connectKmip(options: KmipConnectOptions): Promise<ConnectedKmipClient> {
  const { versions, credentials, attest, limits = {} } = options;
  const { exchange, close } = tlsPool(options);
  try {
    const version =
      versions?.length === 1 ? versions[0] : await negotiateVersion({ exchange, limits }, versions);
    const shown = { ...(credentials ? { credentials } : {}), ...(attest ? { attest } : {}) };
    return { ...createKmipClient({ exchange, version, limits, ...shown }), close };
  } catch (error) {
    close();
    throw error;
  }
}
