"""A TCP proxy whose lanes can be slowed, silenced and cut one by one. Each node has a lane of its
own to Redis, so any subset of them can be parted from it."""

import asyncio
import socket
import struct
import threading

import harness


class Lane:
    """The way of one node. The fields may be set from any thread."""

    def __init__(self, port, target):
        self.port = port
        self.target = target
        self.delay_s = 0.0
        # silent: nothing gets through, and comes late when it ends, as TCP would send it again
        self.is_silent = False
        # cut: whoever connects is reset
        self.is_cut = False
        self.writers = set()
        self.num_held = 0


class Proxy:
    def __init__(self, ports, target):
        self.lanes = [Lane(port, target) for port in ports]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.servers = [self._call(self._listen(lane)) for lane in self.lanes]

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _listen(self, lane):
        return await asyncio.start_server(lambda r, w: self._serve(lane, r, w), "127.0.0.1",
                                          lane.port)

    async def _serve(self, lane, reader, writer):
        lane.writers.add(writer)
        there = None
        try:
            if lane.is_cut:
                reset(writer)
                return
            back, there = await asyncio.open_connection("127.0.0.1", lane.target)
            lane.writers.add(there)
            await asyncio.gather(self._pump(lane, reader, there), self._pump(lane, back, writer))
        except OSError:
            reset(writer)
        finally:
            for each in (writer, there):
                if each is not None:
                    lane.writers.discard(each)
                    each.close()

    @staticmethod
    async def _pump(lane, reader, writer):
        while True:
            data = await reader.read(65536)
            if lane.delay_s:
                await asyncio.sleep(lane.delay_s)
            lane.num_held += 1
            try:
                while lane.is_silent:
                    await asyncio.sleep(0.01)
            finally:
                lane.num_held -= 1
            if not data:
                # both ways end together, as they do for who is killed
                writer.close()
                return
            writer.write(data)

    def cut(self, lanes):
        """Resets what stands on these lanes, and what will come, until they are mended."""
        async def abort():
            for lane in lanes:
                lane.is_cut = True
                for writer in list(lane.writers):
                    reset(writer)
        self._call(abort())

    def mend(self):
        """Returns when what was held back is on its way, so that nobody takes it for news."""
        for lane in self.lanes:
            lane.delay_s, lane.is_silent, lane.is_cut = 0.0, False, False
        harness.wait_until(lambda: all(lane.num_held == 0 for lane in self.lanes),
                           "what was held back")

    def close(self):
        async def end():
            for server in self.servers:
                server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def reset(writer):
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() != -1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
