// A folder with copies in it, in this process.

import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'

import { Handover } from '../gapless-handover.mjs'

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits for what is true, or for what does not throw; at most 10 s. */
export async function until(fits) {
  const ends = Date.now() + 10_000
  while (!(await fits())) {
    if (Date.now() > ends) throw new Error(`not within 10 s: ${fits}`)
    await pause(10)
  }
}

export class Folder {
  constructor() {
    this.path = fs.mkdtempSync(path.join(os.tmpdir(), 'handover-'))
    this.copies = []
  }

  /** `active` and `next` are epochs; a copy is called bot-EPOCH. */
  state(phase, active, next = null, lock = true, skew_ms = 100) {
    const place = (epoch) => (epoch === null ? null : { id: `bot-${epoch}`, epoch })
    const said = { protocol: 'handover/1', service: 'bot', phase, active: place(active), next: place(next), lock, skew_ms }
    said.latest = Math.max(active ?? 0, next ?? 0)
    fs.writeFileSync(path.join(this.path, '.state'), JSON.stringify(said))
    fs.renameSync(path.join(this.path, '.state'), path.join(this.path, 'state.json'))
  }

  async copy(epoch, others = {}, units = []) {
    const given = {
      HANDOVER_DIR: this.path,
      HANDOVER_ID: `bot-${epoch}`,
      HANDOVER_EPOCH: String(epoch),
      HANDOVER_LOCK: `dir://${this.path}/claims`,
      HANDOVER_STARTED_AT: String(Date.now()),
      ...others,
    }
    const copy = await Handover.fromEnvironment(units, { variables: given, limit: 5 }).open()
    this.copies.push(copy)
    return copy
  }

  /** Of two copies, the first ACTIVE and the second STANDBY, the lock on. */
  async pair(others = {}) {
    this.state('done', 1)
    const old = await this.copy(1, others)
    await until(() => old.state === 'ACTIVE')
    this.state('standby', 1, 2)
    const young = await this.copy(2, others)
    await until(() => young.state === 'STANDBY')
    return [old, young]
  }

  ask(epoch, method, target) {
    return new Promise((resolve, reject) => {
      const request = { socketPath: path.join(this.path, `ctl-bot-${epoch}.sock`), method, path: target, agent: false }
      http
        .request(request, (response) => {
          let text = ''
          response.on('data', (data) => (text += data))
          response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }))
        })
        .on('error', reject)
        .end()
    })
  }

  async remove() {
    for (const copy of this.copies) await copy.close()
    fs.rmSync(this.path, { recursive: true })
  }
}
