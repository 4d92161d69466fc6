// The stack's file, Pulumi.<stack>.yaml, tells what is trained, where, and for how much.
module.exports = require("lambda-train").program;
