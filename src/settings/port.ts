import { setting } from "./setting.ts";
import {
  parseDuration,
  parseFile,
  parseHosts,
  parseListen,
  parseOrigins,
  parseSwitch,
  parseTokens,
} from "./values.ts";

/** Settings of the port: where it listens, who may call, and TLS. */
export const PORT_SETTINGS = {
  listen: setting({
    env: "SIGNALMAN_LISTEN",
    flag: "listen",
    placeholder: "HOST:PORT",
    description:
      "address to listen on; one beyond loopback needs --tls-cert and --tls-key, or --plaintext; port 0: any free port",
    default: "127.0.0.1:8480",
    parse: (text = "127.0.0.1:8480") => parseListen(text),
  }),
  tokens: setting({
    env: "SIGNALMAN_TOKEN",
    file: { flag: "token-file", credential: "signalman-token" },
    placeholder: "TOKEN,…",
    description:
      "bearer token of the root account, at least 16 characters. Further tokens may follow after a comma: all of them are valid, so that one can replace another",
    default: "token in the data folder, made on first start",
    parse: (text) => (text ? parseTokens(text) : undefined),
  }),
  noAuth: setting({
    env: "SIGNALMAN_NO_AUTH",
    flag: "no-auth",
    description: "accept every caller on this machine without a token; only on a loopback address",
    default: "off",
    parse: parseSwitch,
  }),
  tlsCert: setting({
    env: "SIGNALMAN_TLS_CERT",
    flag: "tls-cert",
    placeholder: "FILE",
    description: "certificate chain (PEM) for TLS on the port; needs --tls-key. Read again when it changes",
    default: "no TLS",
    parse: (text) => (text ? parseFile(text) : undefined),
  }),
  tlsKey: setting({
    env: "SIGNALMAN_TLS_KEY",
    flag: "tls-key",
    placeholder: "FILE",
    description: "private key (PEM) of --tls-cert, readable by the server's user alone",
    default: "no TLS",
    parse: (text) => (text ? parseFile(text) : undefined),
  }),
  plaintext: setting({
    env: "SIGNALMAN_PLAINTEXT",
    flag: "plaintext",
    description: "listen beyond loopback without TLS, since a proxy before the server has it",
    default: "off",
    parse: parseSwitch,
  }),
  allowedHosts: setting({
    env: "SIGNALMAN_ALLOWED_HOSTS",
    flag: "allowed-hosts",
    placeholder: "NAME,…",
    description:
      "host names under which the server may be called, besides localhost, IP addresses, the name of --listen and those of --allowed-origins; * for all",
    default: "no others on a loopback address, all on another",
    parse: (text) => (text ? parseHosts(text) : undefined),
  }),
  streamMaxAge: setting({
    env: "SIGNALMAN_STREAM_MAX_AGE",
    flag: "stream-max-age",
    placeholder: "DURATION",
    description:
      "greatest age of a watch, from 10s to 24d, less up to a fifth; it then ends with UNAVAILABLE, and clients resume it, perhaps at another server",
    default: "1h",
    parse: (text = "1h") => parseDuration(text, "10s", "24d"),
  }),
  allowedOrigins: setting({
    env: "SIGNALMAN_ALLOWED_ORIGINS",
    flag: "allowed-origins",
    placeholder: "ORIGIN,…",
    description: "web origins that may call from a browser, such as https://app.example.com, or * for all",
    default: "only the server's own origin",
    parse: (text = "") => parseOrigins(text),
  }),
} as const;
