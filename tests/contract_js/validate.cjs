// Prints what the official AsyncAPI parser says of a document; ends with 1 when it cannot be parsed.
// Hints that a newer version of AsyncAPI exists are left out: we stay with 3.0.0, which most tools read.
const fs = require("fs");
const { Parser } = require("@asyncapi/parser");

async function main(path) {
  const { document, diagnostics } = await new Parser().parse(fs.readFileSync(path, "utf8"), { source: path });
  const found = diagnostics
    .filter((one) => one.code !== "asyncapi-latest-version")
    .map((one) => `${one.path.join("/")}: ${one.message}`);
  console.log(JSON.stringify({ diagnostics: found, messages: document ? document.allMessages().all().length : 0 }));
  process.exitCode = document ? 0 : 1;
}

main(process.argv[2]);
