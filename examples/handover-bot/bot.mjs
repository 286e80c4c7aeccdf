// A small bot: connections to a gateway, one for each shard, and one effect for each event.
//
//   GATEWAY=127.0.0.1:9000 node bot.mjs
//
// The gateway speaks JSON lines, as docs/how-to/handover-verify.md describes. What belongs to the
// handover are the lines with `handover` or `unit` in them; the rest is what every bot has.

import net from 'node:net'
import readline from 'node:readline'

import { Handover } from '../../clients/node/gapless-handover.mjs'

const SHARDS = ['shard-0', 'shard-1']
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** One connection, and another one when it breaks. */
class Shard {
  constructor(name, handover) {
    this.name = name
    this.handover = handover
    this.unit = handover.unit(name)
    this.session = null
    this.seq = 0
  }

  connect(host, port) {
    this.socket = net.connect(port, host)
    this.socket.on('error', (error) => console.error(`${this.name}: ${error.message}`))
    this.socket.on('close', () => {
      this.unit.lost()
      setTimeout(() => this.connect(host, port), 100)
    })
    readline.createInterface({ input: this.socket }).on('line', (line) => this.hear(JSON.parse(line)))
  }

  /** One line of the gateway. */
  async hear(said) {
    if (said.op === 'hello') this.enter()
    else if (said.op === 'wait') setTimeout(() => this.enter(), said.ms)
    else if (said.op === 'ready') {
      this.session = said.session
      this.unit.connected()
    } else if (said.op === 'resumed') this.unit.connected()
    else if (said.op === 'invalid') {
      this.session = null
      this.seq = 0
      this.enter()
    } else if (said.op === 'heartbeat') this.unit.beat()
    else if (said.op === 'event') {
      this.seq = said.seq
      // the gateway gives an event the same id for both copies
      await this.handover.offer(said.id, said, (event) => this.answer(event), {
        once: 'at-least-once',
        unit: this.name,
      })
    }
  }

  /** Goes on with the session where there is one. */
  enter() {
    const who = { copy: process.env.HANDOVER_ID ?? 'alone', unit: this.name }
    if (this.session === null) this.say({ op: 'identify', ...who })
    else this.say({ op: 'resume', ...who, session: this.session, seq: this.seq })
  }

  /** The effect: in a real bot, a message to the people. */
  async answer(event) {
    await pause(event.take_ms)
    this.say({ op: 'effect', id: event.id })
  }

  say(message) {
    this.socket.write(`${JSON.stringify(message)}\n`)
  }
}

const [host, port] = process.env.GATEWAY.split(':')
// nothing is connected before the handover knows what this copy is
const handover = await Handover.fromEnvironment(SHARDS, { life: 5 }).open()
for (const name of SHARDS) new Shard(name, handover).connect(host, Number(port))
await handover.drained()
await handover.close()
process.exit(0)
