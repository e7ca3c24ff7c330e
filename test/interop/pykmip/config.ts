/** A `[client]` section of PyKMIP's configuration. Paths name PEM files. */
export interface PyKmipClientConfig {
  port: number;
  ca: string;
  cert: string;
  key: string;
}

export function pykmipClientConfig({ port, ca, cert, key }: PyKmipClientConfig): string {
  return `[client]
host=127.0.0.1
port=${port}
certfile=${cert}
keyfile=${key}
ca_certs=${ca}
cert_reqs=CERT_REQUIRED
ssl_version=PROTOCOL_SSLv23
do_handshake_on_connect=True
suppress_ragged_eofs=True
`;
}
