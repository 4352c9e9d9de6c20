// What DynamoDB Admin loads first (NODE_OPTIONS=--require). The page itself knows items as JavaScript's values alone: it
// would show sets as {} and binaries as maps, store them so when an item is saved, and fail at numbers above 2**53.
'use strict';

const { realpathSync } = require('node:fs');
const http = require('node:http');
const { dirname } = require('node:path');

const WRITABLE = process.env.DYNAMODB_ADMIN_WRITABLE === 'true';
const READING = new Set(['GET', 'HEAD']);
// Commands of the SDK. What is not here is not sent, whatever page asks for it.
const READS = new Set(['ListTables', 'DescribeTable', 'DescribeTimeToLive', 'Scan', 'Query', 'Get']);
const READ_ONLY = 'DynamoDB Admin is read-only here: it would lose sets, binaries and large numbers of an item that it saves. '
  + 'Write with the AWS CLI, or let it write by the setting apps_dynamodb_admin_writable.';
const INEXACT = 'This page can not address or store a number of so many digits exactly. Use the AWS CLI.';
const LOSSY = 'The stored item has sets, binaries or numbers of many digits, which this page would lose. Use the AWS CLI.';
// Digits that JavaScript's numbers keep whatever they are.
const DIGITS = 15;

/** Give a number of DynamoDB's as JavaScript's, or whole as a NumberValue if that has too few digits for it. */
function exactly(NumberValue, text) {
  const digits = text.replace(/e.*$/i, '').replace(/[-+.]/g, '').replace(/^0+|0+$/g, '');
  const number = Number(text);
  const whole = digits.length <= DIGITS || String(number) === text;
  return whole && !inexact(number) ? number : NumberValue.from(text);
}

/** Whether JavaScript has lost digits of a number anywhere in a value that came as JSON or from an address. */
function inexact(value) {
  if (typeof value === 'number') {
    return !Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER;
  }
  return plain(value) && Object.values(value).some(inexact);
}

/** Whether a stored value has something that JSON has no form for. */
function lossy(value, NumberValue) {
  if (value instanceof Set || value instanceof Uint8Array || value instanceof NumberValue) {
    return true;
  }
  return plain(value) && Object.values(value).some((one) => lossy(one, NumberValue));
}

function plain(value) {
  return value !== null && typeof value === 'object' && !(value instanceof Uint8Array);
}

/** Let values be shown: numbers whole and sets as lists of texts, binaries in base64. */
function show(NumberValue) {
  NumberValue.prototype.toJSON = function toJSON() { return this.value; };
  Set.prototype.toJSON = function toJSON() { return [...this]; };
  Uint8Array.prototype.toJSON = function toJSON() { return Buffer.from(this).toString('base64'); };
}

/** Answer 403 to what is to write, before the page sees it. */
function guardRequests() {
  const { emit } = http.Server.prototype;
  http.Server.prototype.emit = function guarded(event, request, response) {
    if (event !== 'request' || READING.has(request.method)) {
      return emit.apply(this, arguments);
    }
    request.resume();
    response.writeHead(403, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ message: READ_ONLY }));
    return true;
  };
}

function guardCommands(aws, documents) {
  const { DynamoDBClient, DescribeTableCommand } = aws;
  const { DynamoDBDocumentClient, GetCommand, NumberValue } = documents;
  const { from } = DynamoDBDocumentClient;
  const send = DynamoDBClient.prototype.send;

  async function described(client, TableName) {
    const { Table } = await send.call(client, new DescribeTableCommand({ TableName }));
    const types = Object.fromEntries(Table.AttributeDefinitions.map((one) => [one.AttributeName, one.AttributeType]));
    return { types, names: Table.KeySchema.map((one) => one.AttributeName) };
  }

  /** Give the values of a key, which have become texts on their way through a page's address, their types again. */
  async function typed(client, TableName, key) {
    const { types } = await described(client, TableName);
    const typedValue = (name, value) => {
      if (typeof value !== 'string' || types[name] === 'S') {
        return value;
      }
      return types[name] === 'N' ? NumberValue.from(value) : Buffer.from(value, 'base64');
    };
    return Object.fromEntries(Object.entries(key).map(([name, value]) => [name, typedValue(name, value)]));
  }

  async function refuseLoss(client, { TableName, Item }) {
    const { names } = await described(client, TableName);
    const Key = await typed(client, TableName, Object.fromEntries(names.map((name) => [name, Item[name]])));
    const stored = await send.call(client, new GetCommand({ TableName, Key, ConsistentRead: true }));
    if (lossy(stored.Item, NumberValue)) {
      throw new Error(LOSSY);
    }
  }

  async function guarded(command, ...rest) {
    const name = command.constructor.name.replace(/Command$/, '');
    const { input } = command;
    if (!WRITABLE && !READS.has(name)) {
      throw new Error(READ_ONLY);
    }
    if (inexact(input.Key) || inexact(input.Item)) {
      throw new Error(INEXACT);
    }
    for (const field of ['Key', 'ExclusiveStartKey']) {
      if (input[field]) {
        input[field] = await typed(this, input.TableName, input[field]);
      }
    }
    if (name === 'Put') {
      await refuseLoss(this, input);
    }
    return send.call(this, command, ...rest);
  }

  DynamoDBClient.prototype.send = guarded;
  DynamoDBDocumentClient.prototype.send = guarded;
  DynamoDBDocumentClient.from = (client, options) => from.call(DynamoDBDocumentClient, client, {
    ...options,
    unmarshallOptions: { ...options?.unmarshallOptions, wrapNumbers: (text) => exactly(NumberValue, text) },
  });
  show(NumberValue);
}

// Node.js is started without a program, too: `node -e` in the pod.
if (process.argv[1]) {
  const page = { paths: [dirname(realpathSync(process.argv[1]))] };
  const of = (name) => require(require.resolve(name, page));
  guardCommands(of('@aws-sdk/client-dynamodb'), of('@aws-sdk/lib-dynamodb'));
  if (!WRITABLE) {
    guardRequests();
  }
}
