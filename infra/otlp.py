"""Traces and metrics over OTLP. Loaded only where there is a collector: at each start its libraries take half a
second."""

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from temporalio.client import Plugin
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, create_tracer_provider


def exporting(service: str) -> tuple[list[Plugin], tuple[BatchSpanProcessor, MeterProvider]]:
    """Send to what the environment names, from now on: plugins for the Temporal client, and what to shut down."""
    resource = Resource.create({"service.name": service})
    spans = BatchSpanProcessor(OTLPSpanExporter())
    tracing = create_tracer_provider(resource=resource)
    tracing.add_span_processor(spans)
    trace.set_tracer_provider(tracing)
    measuring = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    metrics.set_meter_provider(measuring)
    return [OpenTelemetryPlugin()], (spans, measuring)
