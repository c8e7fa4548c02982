/** What TLS needs to know of an end of a connection. platform/node carries it out. */

/** A file in PEM, and its name for messages. */
export interface PemFile {
  readonly path: string;
  readonly text: Uint8Array;
}

export type TlsCredentials =
  | {
      readonly kind: 'x509';
      readonly authorities: PemFile;
      readonly revoked?: PemFile;
      /** Its own; a client can do without. */
      readonly own?: { readonly certificate: PemFile; readonly key: PemFile; readonly password?: string };
      /** Parameters of a Diffie-Hellman key exchange; otherwise well-known ones are taken. */
      readonly dhParameters?: PemFile;
      /** A server wants a certificate from its clients; a client verifies the server's. */
      readonly verifyPeer: boolean;
    }
  | {
      readonly kind: 'psk';
      /** Keys by the names that clients give themselves. */
      readonly keys: ReadonlyMap<string, Uint8Array>;
      /** The name that a client gives itself. */
      readonly identity: string;
    }
  /** Encrypted, but nobody knows with whom. */
  | { readonly kind: 'anonymous'; readonly dhParameters?: PemFile };

export interface TlsSettings {
  readonly credentials: TlsCredentials;
  /** Whether a client may connect that is known as this: distinguished name of its certificate, or name of its key. */
  readonly authorize?: (identity: string) => boolean;
}
