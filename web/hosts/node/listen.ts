/**
 * A listener with mutual TLS on a Unix socket or on loopback: whoever connects shows a certificate of the deployment's own
 * authority, and is who its Distinguished Name says. Nobody is let in by being on this machine alone.
 */

import { constants } from "node:crypto";
import { chmod, lstat, unlink } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { isSystemError } from "#files/index.ts";
import { CofferError } from "#protocol/error.ts";
import { nameText, parseCertificate } from "#protocol/pki/index.ts";

/** A path, or a port of 127.0.0.1 (0: any that is free). */
export type Place = { socket: string } | { port: number };

/** Of this process, PEM. `ca`: the one authority whose clients are let in. */
export type TlsIdentity = { key: string; cert: string; ca: string };

/** `peer`: the Distinguished Name of the client's certificate, `CN=…,OU=…,O=…` in the order of its bytes. */
export type Served = (request: IncomingMessage, response: ServerResponse, peer: string) => void;

export type Listening = { place: Place; close(): Promise<void> };

const MAX_CONNECTIONS = 256;

/**
 * Listens. A socket has the mode 0600, so that its owner alone can connect: a deployment gives it to the sidecar
 * (docs/deploy). Errors: `folder-in-use` where another process has the socket.
 */
export async function listen(place: Place, identity: TlsIdentity, served: Served): Promise<Listening> {
  const server = createServer(
    {
      ...identity,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      // A resumed session would come without its certificate.
      secureOptions: constants.SSL_OP_NO_TICKET,
      maxHeaderSize: 32 << 10,
      headersTimeout: 10_000,
      // A stream takes as long as it takes.
      requestTimeout: 0,
    },
    (request, response) => {
      const peer = peerOf(request.socket as TLSSocket);
      if (peer === undefined) request.destroy();
      else served(request, response, peer);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const found =
    "socket" in place ? await onSocket(server, place.socket) : await onLoopback(server, place.port);
  return {
    place: found,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function peerOf(socket: TLSSocket): string | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (!certificate) return undefined;
  try {
    return nameText(parseCertificate(certificate.raw).subject);
  } catch {
    return undefined;
  }
}

async function onSocket(server: Server, path: string): Promise<Place> {
  await clear(path);
  // Between bind and chmod nobody else may come in either.
  const before = process.umask(0o177);
  try {
    await listening(server, { path });
  } finally {
    process.umask(before);
  }
  await chmod(path, 0o600);
  return { socket: path };
}

async function onLoopback(server: Server, port: number): Promise<Place> {
  await listening(server, { host: "127.0.0.1", port });
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no address");
  return { port: address.port };
}

function listening(server: Server, where: { path: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, resolve);
  });
}

/** Removes the socket of a process that has ended. What is no socket, or still answers, stays. */
async function clear(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isSystemError(error) && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!found) return;
  if (!found.isSocket() || (await answers(path))) throw new CofferError("folder-in-use");
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
