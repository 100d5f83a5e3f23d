import { z } from "zod";
import { fullName } from "./names.ts";
import { free } from "./rule.ts";
import { int } from "./values.ts";

/** The fields of AIP-158. A token is judged by who made it (rpc/page-token.ts). */
export const page = () => ({ page_size: int("0 to 1000", 0, 1000), page_token: free() });

const PROJECT = "projects/{project}";
const get = (pattern: string) => z.object({ name: fullName(pattern) });
const list = () => z.object({ parent: fullName(PROJECT), ...page() });

/** The readers of resources: Get and List of each kind. */
export const READING_RULES = {
  "signalman.v1.GetProjectRequest": get(PROJECT),
  "signalman.v1.ListProjectsRequest": z.object(page()),
  "signalman.v1.GetRepositoryRequest": get(`${PROJECT}/repositories/{repository}`),
  "signalman.v1.ListRepositoriesRequest": list(),
  "signalman.v1.GetEnvironmentRequest": get(`${PROJECT}/environments/{environment}`),
  "signalman.v1.ListEnvironmentsRequest": list(),
  "signalman.v1.GetTemplateRequest": get(`${PROJECT}/templates/{template}`),
  "signalman.v1.ListTemplatesRequest": list(),
};
