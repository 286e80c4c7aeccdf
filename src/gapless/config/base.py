"""What all configuration models share: frozen, no unknown keys, places kept by the loader."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Section(BaseModel):
    """A mapping in gapless.yaml."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        defer_build=True,  # most sections are only ever read as a part of a whole
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema with what is said of each key."""
        from gapless.config.descriptions import descriptions  # reads sources
        from gapless.config.placeholders import spelled

        schema = handler(core_schema)
        resolved = handler.resolve_ref_schema(schema)
        if "description" in resolved:
            resolved["description"] = spelled(resolved["description"])
        properties = resolved.get("properties", {})
        for name, text in descriptions(cls).items():
            written = properties.get(cls.model_fields[name].alias or name)
            if written is not None and text:
                written["description"] = text
        return schema
