import type { Logger } from "pino";
import type { Config } from "../config.ts";
import type { RecordRefusal } from "../rpc/refusals.ts";
import type { OperatorLog } from "../telemetry/operator-log.ts";
import type { Storage } from "./storage.ts";

/** Configuration, folders and logger, which every part of a server may use. */
export interface ServiceContext extends Storage {
  config: Config;
  logger: Logger;
  operatorLog: OperatorLog;
  /** Stores the audit event of a refused call; limits how many of them one caller makes. */
  recordRefusal: RecordRefusal;
}
