// For each file that a package imports of itself, Node reads the package's package.json and parses its exports anew.
// drizzle-orm's has 180 KB: a server spent half of its start on it, and kept 100 MB of what that left behind. These
// imports name files that are there, so nothing needs to be looked up.
import module from "node:module";

const PACKAGE = "/node_modules/drizzle-orm/";

module.registerHooks({
  resolve(specifier, context, next) {
    const isOwnFile = /^\.\.?\/.*\.js$/.test(specifier) && context.parentURL?.includes(PACKAGE);
    if (!isOwnFile) return next(specifier, context);
    return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
  },
});
