import type { Logger } from "pino";
import type { Config } from "../config.ts";
import type { OperatorLog } from "../task/operator-log.ts";
import type { Storage } from "./storage.ts";

/** Configuration, folders and logger, which every part of a server may use. */
export interface ServiceContext extends Storage {
  config: Config;
  logger: Logger;
  operatorLog: OperatorLog;
}
