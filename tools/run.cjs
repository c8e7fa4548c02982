// What the npm scripts start: in old syntax, so that every Node can read it and be told in one line that it is too old.
'use strict';
if (parseInt(process.versions.node, 10) < 20) {
  console.error(`lpar: Node ${process.versions.node} is too old: Node 26 runs lpar (Node 20 can fetch it)`);
  process.exitCode = 1;
} else {
  import('./run.mjs');
}
