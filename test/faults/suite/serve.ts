// A server of the fault suite: with a shifted clock and with failpoints (build.ts).
import "./clock.ts";

await import("../../support/serve.ts");
