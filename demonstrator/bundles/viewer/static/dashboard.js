// The page with the controls.

import "/viewer/flow.js";
import "/viewer/graphs.js";
import "/viewer/accounting.js";
import "/viewer/cluster.js";
import "/viewer/controls.js";
import { follow } from "/viewer/figures.js";
import { Plot, upFrom } from "/viewer/plot.js";
import { element } from "/viewer/text.js";

const store = new Plot(element("store-graph"), [{ shade: "--stored", fill: true }], upFrom(1000));

follow((at, series) => {
  const held = series.filter((item) => item.component === "datastore" && item.name === "held");
  // While a data store moves there are two of them: the one that answers counts.
  store.draw([at, at.map((_, index) => held.reduce((found, item) => item.values[index] ?? found, null))]);
});
