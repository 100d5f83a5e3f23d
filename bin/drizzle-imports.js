// Resolves drizzle-orm's imports of its own files without Node's look-up. For each of them Node would parse the exports in
// the package's package.json, which has 180 KB: that took half of a server's start and left 100 MB in memory. The imports
// name existing files, so no look-up is needed.
import module from "node:module";

const PACKAGE = "/node_modules/drizzle-orm/";

module.registerHooks({
  resolve(specifier, context, next) {
    const isOwnFile = /^\.\.?\/.*\.js$/.test(specifier) && context.parentURL?.includes(PACKAGE);
    if (!isOwnFile) return next(specifier, context);
    return { url: new URL(specifier, context.parentURL).href, format: "module", shortCircuit: true };
  },
});
