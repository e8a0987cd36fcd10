// The first twenty lines of a centre: every event of a lane once, in order, proven. node begin.mjs HOST PORT FILTER
import { createHash } from 'node:crypto'
import mqtt from 'mqtt'

const [host, port, filter] = process.argv.slice(2)
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const last = new Map() // of each lane of an epoch; keep it in your database beside the events

const client = mqtt.connect({ host, port, protocolVersion: 5 })
client.on('connect', () => client.subscribe(filter, { qos: 1 }))
client.on('message', (topic, payload) => {
  const event = JSON.parse(payload)
  const lane = event.id.split('/')[0], place = `${event.source}/${lane}`, sequence = BigInt(event.sequence)
  const before = last.get(place) ?? { sequence: 0n, digest: sha256(`${event.source.split('/')[2]}/${lane}`) }
  if (sequence <= before.sequence) return // it came again
  const body = Buffer.concat([Buffer.from('{'), payload.subarray(payload.indexOf('"type":'))])
  const proven = sha256(before.digest, body).toString('hex') === event.digest
  last.set(place, { sequence, digest: Buffer.from(event.digest, 'hex') })
  const proof = proven ? 'proven' : `after ${before.sequence} something is missing: ask for it with a request`
  console.log(event.id, event.type, event.subject, event.data.title_zh, proof)
})
