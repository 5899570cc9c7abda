// The first page: everything at a glance.

import "/viewer/flow.js";
import "/viewer/graphs.js";
import "/viewer/accounting.js";
import "/viewer/log.js";
import "/viewer/cluster.js";
import { element } from "/viewer/text.js";

element("provisioning").href = `http://${location.hostname}:90/`;
