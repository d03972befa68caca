"""The application of applications.py in Django, on the server that comes with it."""

import hashlib
import queue
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path, reverse
from django.views.decorators.http import condition

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="no secret",
                   DATA_UPLOAD_MAX_MEMORY_SIZE=None, USE_X_FORWARDED_HOST=False)
events = queue.Queue()


@condition(etag_func=lambda request: '"page"')
def page(_):
    response = HttpResponse('<link rel="stylesheet" href="/static/{breaker}/site.css">\n')
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", httponly=True)
    return response


def echo(request):
    return JsonResponse({"method": request.method, "host": request.get_host(),
                         "query": request.GET.get("q"),
                         "for": request.headers.get("X-Forwarded-For"),
                         "proto": request.headers.get("X-Forwarded-Proto")})


def upload(request):
    return JsonResponse({"sha256": hashlib.sha256(request.body).hexdigest()})


def form(request):
    file = request.FILES["file"].read()
    return JsonResponse({"name": request.POST["name"], "sha256": hashlib.sha256(file).hexdigest()})


def download(request):
    return StreamingHttpResponse(bytes([at % 251]) * 65536
                                 for at in range(int(request.GET["blocks"])))


def lead(_):
    return HttpResponseRedirect(reverse("page"))


def fails(_):
    raise ValueError


def say(request):
    events.put(request.GET["event"])
    return HttpResponse(status=204)


def stream():
    yield "data: ready\n\n"
    for event in iter(events.get, "end"):
        yield "data: %s\n\n" % event


def listen(_):
    return StreamingHttpResponse(stream(), content_type="text/event-stream")


urlpatterns = [path("page", page, name="page"), path("echo", echo), path("upload", upload),
               path("form", form), path("download", download), path("redirect", lead),
               path("fails", fails), path("say", say), path("events", listen)]

execute_from_command_line(["manage", "runserver", "--noreload", "127.0.0.1:" + sys.argv[1]])
