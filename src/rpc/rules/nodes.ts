import { z } from "zod";
import { fullName } from "./names.ts";
import { page } from "./paging.ts";

const one = () => z.object({ name: fullName("nodes/{uuid}") });

export const NODE_RULES = {
  "signalman.v1.GetNodeRequest": one(),
  "signalman.v1.ListNodesRequest": z.object(page()),
  "signalman.v1.DrainNodeRequest": one(),
  "signalman.v1.UndrainNodeRequest": one(),
  "signalman.v1.ForgetNodeRequest": one(),
};
