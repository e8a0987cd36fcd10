"""A real RTSP server that plays a clip without end. Run by the system's Python, which has GStreamer's `gi`:

    /usr/bin/python3 rtsp_server.py CLIP|URL PORT [USER PASSWORD]

It prints `port N` once it serves rtsp://127.0.0.1:N/clip, obeys the lines `stall` and `resume` on its standard input,
and ends when that closes. The clip's H.264 pictures are passed on as they are, none is encoded anew; so are the JPEGs
of an MJPEG camera at URL, with whatever befalls it.
"""

import sys
from itertools import cycle, pairwise
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions are chosen before the import

PATH = "/clip"
_LOOK_NS = 200_000_000
_READ = (
    "filesrc name=file ! qtdemux ! h264parse config-interval=-1 ! "
    "video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=sink sync=false"
)
_PLAY = (
    "( appsrc name=source is-live=true format=time max-bytes=200000 "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au ! "
    "h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


_FORWARD = (
    "( souphttpsrc location={url} is-live=true do-timestamp=true retries=-1 ! "
    "multipartdemux single-stream=true ! jpegparse ! rtpjpegpay name=pay0 pt=26 )"
)


class Clip:
    """The clip's pictures, still encoded, in decoding order: bytes, and offsets of dts and pts in nanoseconds."""

    def __init__(self, path: str) -> None:
        pipeline = Gst.parse_launch(_READ)
        pipeline.get_by_name("file").set_property("location", path)
        sink = pipeline.get_by_name("sink")
        pipeline.set_state(Gst.State.PLAYING)
        self.pictures: list[tuple[bytes, int, int]] = []
        failed = False
        while not (failed or sink.get_property("eos")):
            sample = sink.emit("try-pull-sample", _LOOK_NS)
            if sample is not None:
                buffer = sample.get_buffer()
                self.pictures.append((buffer.extract_dup(0, buffer.get_size()), buffer.dts, buffer.pts))
            failed = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR) is not None
        pipeline.set_state(Gst.State.NULL)
        if len(self.pictures) < 2:
            raise SystemExit(f"{path} holds no H.264 pictures")
        times = sorted(dts for _, dts, _ in self.pictures)
        self.step_ns = min(later - earlier for earlier, later in pairwise(times) if later > earlier)
        self.length_ns = len(self.pictures) * self.step_ns


class Player:
    """Feeds one viewer's pipeline, at the clip's pace, from its first picture."""

    def __init__(self, clip: Clip, source: Any, stalled: "Stall") -> None:
        self._clip = clip
        self._source = source
        self._stalled = stalled
        self._next = cycle(enumerate(clip.pictures))
        self._base_ns = 0
        self._timer = GLib.timeout_add(max(1, clip.step_ns // 1_000_000), self._push)

    def end(self) -> None:
        if self._timer:
            GLib.source_remove(self._timer)
            self._timer = 0

    def _push(self) -> bool:
        if self._stalled.on:
            return True
        number, (data, dts, pts) = next(self._next)
        buffer = Gst.Buffer.new_wrapped(data)
        first = self._clip.pictures[0][1]
        buffer.dts, buffer.pts = self._base_ns + dts - first, self._base_ns + pts - first
        buffer.duration = self._clip.step_ns
        if number == len(self._clip.pictures) - 1:
            self._base_ns += self._clip.length_ns
        if self._source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
            self._timer = 0
            return False
        return True


class Stall:
    on = False


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]  # gi has no types
    """Gives every viewer a pipeline of its own."""

    def __init__(self, clip: Clip, stalled: Stall) -> None:
        super().__init__()
        self._clip = clip
        self._stalled = stalled
        self.set_launch(_PLAY)
        self.connect("media-configure", self._on_media)

    def _on_media(self, _factory: Any, media: Any) -> None:
        player = Player(self._clip, media.get_element().get_by_name("source"), self._stalled)
        media.connect("unprepared", lambda _media: player.end())


def passing_on(url: str) -> Any:
    """Gives every viewer what the camera at `url` sends."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(_FORWARD.format(url=url))
    return factory


def demand_password(server: Any, factory: Any, user: str, password: str) -> None:
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)


def main() -> int:
    source, port, *credentials = sys.argv[1:]
    Gst.init(None)
    stalled = Stall()
    loop = GLib.MainLoop()
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = passing_on(source) if source.startswith("http://") else Factory(Clip(source), stalled)
    if credentials:
        demand_password(server, factory, *credentials)
    server.get_mount_points().add_factory(PATH, factory)
    if not server.attach(None):
        sys.stderr.write(f"port {port} cannot be taken\n")
        return 1

    def on_order(channel: Any, condition: Any) -> bool:
        order = channel.readline() if not condition & GLib.IOCondition.HUP else ""
        if not order:
            loop.quit()
            return False
        stalled.on = order.strip() == "stall"
        return True

    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN | GLib.IOCondition.HUP, on_order)
    print(f"port {server.get_bound_port()}", flush=True)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
